from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.metrics.exact_match import tidy
from locvlm.evaluation.task import (
    AnswerContext,
    Outcome,
    Question,
    QuestionSet,
    ScoredAnswer,
    Sources,
)
from locvlm.evaluation.tasks import tgif_qa

FRAMEQA = """\
gif_name\tquestion\tanswer\ttype\tvid_id\tkey\tdescription
tumblr_a_250\twhat is in the cone ?\tcookie\t0\tFRAMEQA1159\t27138\ta cookie is in a cone .
tumblr_b_250\thow many men sit ?\ttwo\t1\tFRAMEQA3\t61\ttwo men sit .
tumblr_a_250\twhere is it ?\troom\t3\tFRAMEQA7\t5\tit is in a room .
"""
ACTION = """\
gif_name\tquestion\ta1\ta2\ta3\ta4\ta5\tanswer\tvid_id\tkey
tumblr_a_250\tWhat does the cat do 3 times ?\tstep\tnod head\tsway\tstep\tlick\t4\tACTION4\t26
tumblr_b_250\tWhat does the man do after stand ?\tdance\twink\tsit\tnod\tfall\t0\tTRANS5\t27
"""
COUNT = """\
gif_name\tquestion\tanswer\tvid_id\tkey
tumblr_a_250\tHow many times does the man nod ?\t3\tCOUNT12\t52
tumblr_b_250\tHow many times does the cat lick ?\t10\tCOUNT18\t70
"""
NOTHING = AnswerContext(None, None, ())


def load(folder: Path, text: str) -> QuestionSet:
    path = folder / "Test_question.csv"
    path.write_text(text)
    return tasks.load("tgif-qa", Sources({"questions": path}), seed=0, options={})


def test_frameqa(tmp_path: Path) -> None:
    asked = load(tmp_path, FRAMEQA)
    assert [(q.id, q.image, q.expected, q.meta["type"]) for q in asked] == [
        ("FRAMEQA1159", "tumblr_a_250.gif", "cookie", "object"),
        ("FRAMEQA7", "tumblr_a_250.gif", "room", "location"),
        ("FRAMEQA3", "tumblr_b_250.gif", "two", "number"),
    ]
    assert [tgif_qa.judge_group(q) for q in asked] == ["object", "location", "number"]


def test_choices(tmp_path: Path) -> None:
    asked = load(tmp_path, ACTION)
    assert [(q.id, q.expected) for q in asked] == [("ACTION4", "lick"), ("TRANS5", "dance")]
    assert next(iter(asked)).instruction.question == (
        "What does the cat do 3 times ?\nA. step\nB. nod head\nC. sway\nD. step\nE. lick"
    )
    assert {tgif_qa.judge_group(q) for q in asked} == {None}


def test_counts(tmp_path: Path) -> None:
    asked = load(tmp_path, COUNT)
    assert [(q.id, q.expected) for q in asked] == [("COUNT12", "3"), ("COUNT18", "10")]
    assert {tgif_qa.judge_group(q) for q in asked} == {None}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column gif_name"),
        (FRAMEQA.splitlines()[0], "no question for tgif-qa"),
        (FRAMEQA.replace("\t", ";"), "has no column gif_name, question"),
        (FRAMEQA.replace("FRAMEQA7", "FRAMEQA3"), "line 4: a second question 'FRAMEQA3'"),
        (FRAMEQA.replace("\t3\tFRAME", "\t4\tFRAME"), "line 4: type: '4' is not between 0 and 3"),
        (FRAMEQA.replace("\tcookie", "\t"), "line 2: has no question or no answer"),
        (FRAMEQA.replace("\ttwo men sit .", ""), "line 3: does not have 7 columns"),
        (ACTION.replace("\t4\tACT", "\t5\tACT"), "line 2: answer: '5' is not between 0 and 4"),
        (ACTION.replace("\t4\tACT", "\tlick\tACT"), "line 2: answer: 'lick' is not a number"),
        (ACTION.replace("\ta5", "\tb5"), "line 2: has no column a5"),
        (COUNT.replace("\t10\t", "\t11\t"), "line 3: answer: '11' is not between 0 and 10"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        load(tmp_path, text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("lick", 4),
        ("Nod head.", 1),
        ("B", 1),
        ("(b)", 1),
        ("B. nod head", 1),
        ("c) something", 2),
        ("0", 0),
        ("4", 4),
        ("4.", 4),
        ("5", None),
        ("04", None),
        ("", None),
        ("a cat", None),
        ("f", None),
        ("it does lick", None),
        ("٣", None),
    ],
)
def test_choice(answer: str, place: int | None) -> None:
    choices = ["step", "nod head", "sway", "hop", "lick"]
    assert tgif_qa.read_choice(answer, choices) == (None if place is None else choices[place])


def test_words_go_before_letters_and_numbers() -> None:
    assert tgif_qa.read_choice("a", ["b", "a"]) == "a"
    assert tgif_qa.read_choice("0", ["1", "0"]) == "0"


@given(st.lists(st.text("abcde. ", min_size=1), min_size=5, max_size=5), st.integers(0, 4))
def test_each_choice_can_be_given_by_its_words(choices: list[str], place: int) -> None:
    chosen = tgif_qa.read_choice(f" {choices[place].upper()}. ", choices)
    assert chosen is not None
    assert tidy(chosen) == tidy(choices[place])


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("3", 3),
        ("3 times", 3),
        ("Three.", 3),
        ("The man nods twice, not 5 times", 2),
        ("10 or more", 10),
        ("25", 10),
        ("0", 1),
        ("zero", 1),
        ("2.5", 2),
        ("3.5", 4),
        ("9" * 500, 10),
        ("", None),
        ("someone", None),
        ("many", None),
    ],
)
def test_count(answer: str, number: int | None) -> None:
    assert tgif_qa.read_count(answer) == number


def outcomes(asked: QuestionSet, answers: list[str]) -> list[tuple[Question, str, Outcome]]:
    return [
        (question, answer, tgif_qa.score(question, answer, NOTHING))
        for question, answer in zip(asked, answers, strict=True)
    ]


def figures(asked: QuestionSet, answers: list[str]) -> dict[str, tuple[float | None, int]]:
    rows = [
        ScoredAnswer(q.id, q.image, "", a, q.expected, dict(q.meta), (), o.hit, dict(o.values))
        for q, a, o in outcomes(asked, answers)
    ]
    return {name: (s.value, s.n) for name, s in tgif_qa.summarize(rows, seed=0).items()}


def test_figures_of_counts(tmp_path: Path) -> None:
    asked = load(tmp_path, COUNT)
    assert figures(asked, ["5", "ten"]) == {
        "accuracy": (0.5, 2),
        "parse rate": (1.0, 2),
        "mean squared error": (pytest.approx((2**2 + 0) / 2), 2),
    }
    assert figures(asked, ["no idea", "1"]) == {
        "accuracy": (0.0, 2),
        "parse rate": (0.5, 2),
        "mean squared error": (pytest.approx(81), 1),
    }


def test_figures_of_choices(tmp_path: Path) -> None:
    asked = load(tmp_path, ACTION)
    assert figures(asked, ["E", "dance"])["accuracy"] == (1.0, 2)
    assert figures(asked, ["0", "what?"]) == {"accuracy": (0.0, 2), "parse rate": (0.5, 2)}


def test_figures_of_frameqa(tmp_path: Path) -> None:
    found = figures(load(tmp_path, FRAMEQA), ["cookie", "Room.", "three"])
    assert found == {
        "accuracy": (2 / 3, 3),
        "verbatim accuracy": (1 / 3, 3),
        "type/object": (1.0, 1),
        "type/number": (0.0, 1),
        "type/color": (None, 0),
        "type/location": (1.0, 1),
    }


def test_nothing_to_sum_up() -> None:
    assert {score.n for score in tgif_qa.summarize([], seed=0).values()} == {0}
