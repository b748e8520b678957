import json
from pathlib import Path
from typing import Any

import pytest

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.scoring import score
from locvlm.evaluation.task import AnswerContext, QuestionSet, Sources
from locvlm.evaluation.tasks import vqav2


def question(number: int | str, image: int, text: str = "Is it red?") -> dict[str, Any]:
    return {"image_id": image, "question": text, "question_id": number}


def annotation(
    number: int | str, answers: str, kind: str = "other", first: str = "is it"
) -> dict[str, Any]:
    """With the words of `answers`, as the official file has them."""
    return {
        "question_type": first,
        "multiple_choice_answer": answers.split(" ")[0],
        "answers": [
            {"answer": text, "answer_confidence": "yes", "answer_id": number}
            for number, text in enumerate(answers.split(" "), 1)
        ],
        "image_id": 1,
        "answer_type": kind,
        "question_id": number,
    }


QUESTIONS = [question(9000, 9), question(42001, 42, "How many?"), question(9001, 9, "What?")]
ANNOTATIONS = [
    annotation(42001, "2 two 2 3 3 3 4 4 4 4", "number", "how many"),
    annotation(9000, " ".join(["yes"] * 10), "yes/no"),
    annotation(9001, "dog dog cat cat cat cat cat cat cat cat", "other", "what"),
]


def written(folder: Path, questions: Any, annotations: Any, **more: Any) -> Sources:
    files = {"questions": folder / "q.json", "annotations": folder / "a.json"}
    head = {"info": {}, "data_subtype": "val2014", "license": {}}
    files["questions"].write_text(json.dumps({**head, **more, "questions": questions}))
    files["annotations"].write_text(json.dumps({**head, "annotations": annotations}))
    return Sources(files)


def load(sources: Sources, **options: str) -> QuestionSet:
    return tasks.load("vqav2", sources, seed=0, options={"prompt": "short", **options})


def test_no_questions(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"q\.json: no question for vqav2 can be made"):
        load(written(tmp_path, [], []))


def test_questions(tmp_path: Path) -> None:
    asked = load(written(tmp_path, QUESTIONS, ANNOTATIONS))
    assert [q.id for q in asked] == ["9000", "9001", "42001"]  # picture by picture
    assert [q.image for q in asked] == [
        "COCO_val2014_000000000009.jpg",
        "COCO_val2014_000000000009.jpg",
        "COCO_val2014_000000000042.jpg",
    ]
    first = asked.questions[0]
    assert first.instruction.question.startswith("Is it red?\nAnswer the question using a")
    assert (first.expected, first.instruction.answer, first.size) == ("yes", "yes", None)
    assert first.accepted == ("yes",) * 10
    assert first.meta == {"answer type": "yes-no", "question type": "is it"}
    assert not asked.skipped and not asked.dropped


def test_the_plain_question(tmp_path: Path) -> None:
    asked = load(written(tmp_path, QUESTIONS, ANNOTATIONS), prompt="plain")
    assert [q.instruction.question for q in asked] == ["Is it red?", "What?", "How many?"]


def test_some_of_the_questions(tmp_path: Path) -> None:
    asked = load(written(tmp_path, QUESTIONS[:1], ANNOTATIONS))
    assert len(asked) == 1
    assert asked.dropped == {"annotations of other questions": 2}


@pytest.mark.parametrize(
    "name",
    [
        "COCO_val2014_000000000009.jpg",
        "val2014/COCO_val2014_000000000009.jpg",
        "000000000009.jpg",
        "train2017/000000000009.jpg",
    ],
)
def test_names_of_pictures(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    files = written(tmp_path, QUESTIONS, ANNOTATIONS).files
    asked = load(Sources(files, tmp_path))
    assert [q.image for q in asked] == [name, name]
    assert asked.skipped == {"pictures whose file is missing": 1}
    assert not asked.dropped


def test_no_picture_at_all(tmp_path: Path) -> None:
    files = written(tmp_path, QUESTIONS, ANNOTATIONS).files
    with pytest.raises(InputError, match="has none of the 2 pictures"):
        load(Sources(files, tmp_path))


def test_the_split_names_the_pictures(tmp_path: Path) -> None:
    asked = load(written(tmp_path, QUESTIONS, ANNOTATIONS, data_subtype="train2014"))
    assert asked.questions[0].image == "COCO_train2014_000000000009.jpg"


@pytest.mark.parametrize("split", ["test2015", "test-dev2015"])
def test_a_test_split_has_no_answers(tmp_path: Path, split: str) -> None:
    path = written(tmp_path, QUESTIONS, [], data_subtype=split)["questions"]
    asked = load(Sources({"questions": path}))
    assert asked.truths == "secret"
    assert [q.image for q in asked] == [f"COCO_test2015_{n:012}.jpg" for n in (9, 9, 42)]
    assert {(q.expected, q.accepted) for q in asked} == {("", ())}
    assert not asked.not_asked and not asked.dropped
    (tmp_path / "test2017").mkdir()
    (tmp_path / "test2017/000000000042.jpg").touch()
    (tmp_path / "train2017").mkdir()
    (tmp_path / "train2017/000000000009.jpg").touch()  # not that of the test split
    asked = load(Sources({"questions": path}, tmp_path))
    assert [q.image for q in asked] == ["test2017/000000000042.jpg"]
    assert asked.not_asked == ("9000", "9001")


def test_annotations_that_are_public_are_wanted_for_scores(tmp_path: Path) -> None:
    path = written(tmp_path, QUESTIONS, [])["questions"]
    sources = Sources({"questions": path})
    assert load(sources).truths == "not given"
    answers = tmp_path / "results.json"
    answers.write_text(json.dumps([{"question_id": 9000, "answer": "yes"}]))
    with pytest.raises(InputError, match=r"needs --annotations: v2_mscoco_val2014.* no test split"):
        score("vqav2", answers, sources)
    path = written(tmp_path, QUESTIONS, [], data_subtype="test2015")["questions"]
    with pytest.raises(InputError, match=r"q\.json: has no true answers.*visualqa\.org") as caught:
        score("vqav2", answers, Sources({"questions": path}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("questions", "annotations", "message"),
    [
        ([question(9000, 9)] * 2, ANNOTATIONS, r"q\.json: questions\[1\]: repeats the id '9000'"),
        ([question(5, 9)], ANNOTATIONS, r"q\.json: questions\[0\]: '5' is not in .*a\.json"),
        (QUESTIONS, ANNOTATIONS + ANNOTATIONS[:1], r"annotations\[3\] \(question '42001'\): a sec"),
        (QUESTIONS, [{**ANNOTATIONS[0], "answers": []}], r"annotations\[0\] .*: has no answers"),
        (
            QUESTIONS,
            [{**ANNOTATIONS[0], "answers": [{"answer": 5}]}],
            r"annotations\[0\] \(question '42001'\): answers: Expected `str`, got `int`",
        ),
        (
            [{"question_id": 1, "image_id": 2}],
            [],
            r"required field `question` - at `\$.questions\[",
        ),
        ([question(1, "x")], [], r"Expected `int`, got `str` - at `\$\.questions\[0\]\.image_id`"),
        (QUESTIONS, [{}], r"a\.json: not a VQA annotations file .* at `\$\.annotations\[0\]`"),
        ([question(9000, 9, "Is {loc}?")], ANNOTATIONS, r"q\.json: question 9000: holds {loc}"),
    ],
)
def test_bad_files(tmp_path: Path, questions: Any, annotations: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load(written(tmp_path, questions, annotations))
    assert "\n" not in str(caught.value)


def test_outcomes(tmp_path: Path) -> None:
    asked = {q.id: q for q in load(written(tmp_path, QUESTIONS, ANNOTATIONS))}

    def outcome(number: str, answer: str) -> tuple[float, float, bool]:
        got = vqav2.score(asked[number], answer, AnswerContext(None, None, ()))
        return got.values["accuracy"], got.values["accuracy always normalized"], got.hit

    assert outcome("9000", "yes") == (1, 1, True)
    assert outcome("9000", "Yes.") == (0, 1, False)  # all agree, so every character counts
    assert outcome("42001", "Two!") == (0.9, 0.9, True)
    assert outcome("42001", "four") == (1, 1, True)
    assert outcome("9001", "a dog") == (0.6, 0.6, False)
    assert outcome("9001", "") == (0, 0, False)


def test_scores(tmp_path: Path) -> None:
    sources = written(tmp_path, QUESTIONS, ANNOTATIONS)
    answers = tmp_path / "results.json"
    rows = [(9000, "Yes."), (9001, "dog"), (42001, "2")]
    answers.write_text(json.dumps([{"question_id": n, "answer": text} for n, text in rows]))
    result = score("vqav2", answers, sources)
    values = {name: figure["value"] for name, figure in result["scores"].items()}
    assert values == {
        "accuracy": pytest.approx((0 + 0.6 + 0.9) / 3),
        "accuracy always normalized": pytest.approx((1 + 0.6 + 0.9) / 3),
        "answer type/number": 0.9,
        "answer type/other": 0.6,
        "answer type/yes-no": 0,
        "question type/how many": 0.9,
        "question type/is it": 0,
        "question type/what": 0.6,
    }
    assert result["pictures"] == 2


def test_nothing_to_sum_up() -> None:
    assert {figure.n for figure in vqav2.summarize([], seed=0).values()} == {0}
