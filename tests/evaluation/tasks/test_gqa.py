import json
from pathlib import Path
from typing import Any

import pytest

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.scoring import score
from locvlm.evaluation.task import AnswerContext, QuestionSet, Sources
from locvlm.evaluation.tasks import gqa

SHORT = "\nAnswer the question using a single word or phrase."


def question(image: str, text: str, answer: str, types: str, **more: Any) -> dict[str, Any]:
    """As the official file has it; `types` are the structural and the semantic one."""
    structural, semantic = types.split(" ")
    return {
        "semantic": [{"operation": "select", "dependencies": [], "argument": "scene"}],
        "entailed": [],
        "question": text,
        "imageId": image,
        "isBalanced": True,
        "groups": {"global": None, "local": "06-sky"},
        "answer": answer,
        "types": {"detailed": "place", "semantic": semantic, "structural": structural},
        "fullAnswer": "It is.",
        **more,
    }


OFFICIAL = {
    "2017": question("n16", "Is it overcast?", "no", "verify global"),
    "05": question("n23", "Who wears it?", "woman", "query rel"),
    "2018": question("n16", "Is it red or blue?", "red", "choose attr"),
    "2019": question("n16", "Is it?", "yes", "verify obj", isBalanced=False),
}
LINES = [
    {"question_id": "05", "image": "n23.jpg", "text": f"Who wears it?{SHORT}", "category": "x"},
    {"question_id": "2017", "image": "n16.jpg", "text": "Is it overcast?", "category": "default"},
]


def official(folder: Path, questions: Any = OFFICIAL) -> Path:
    path = folder / "testdev_balanced_questions.json"
    path.write_text(json.dumps(questions))
    return path


def lines(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "llava.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def load(images: Path | None = None, prompt: str = "short", **files: Path) -> QuestionSet:
    return tasks.load("gqa", Sources(files, images), seed=0, options={"prompt": prompt})


def llavas(folder: Path, rows: list[dict[str, Any]], prompt: str = "short") -> QuestionSet:
    return load(None, prompt, questions=lines(folder, rows), annotations=official(folder))


def test_no_questions(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no question for gqa can be made"):
        load(questions=official(tmp_path, {}))


def test_the_official_file(tmp_path: Path) -> None:
    asked = load(questions=official(tmp_path))
    assert [q.id for q in asked] == ["2017", "2018", "05"]  # picture by picture
    assert [q.image for q in asked] == ["n16.jpg", "n16.jpg", "n23.jpg"]
    assert [q.expected for q in asked] == ["no", "red", "woman"]
    assert asked.questions[0].instruction.question == f"Is it overcast?{SHORT}"
    assert [q.meta for q in asked] == [
        {"answer": "binary", "structural type": "verify", "semantic type": "scene"},
        {"answer": "binary", "structural type": "choose", "semantic type": "attribute"},
        {"answer": "open", "structural type": "query", "semantic type": "relation"},
    ]
    assert asked.dropped == {"questions that are not balanced": 1}


def test_llavas_file(tmp_path: Path) -> None:
    asked = llavas(tmp_path, LINES)
    assert [q.id for q in asked] == ["05", "2017"]
    assert [q.expected for q in asked] == ["woman", "no"]
    assert [q.image for q in asked] == ["n23.jpg", "n16.jpg"]
    assert [q.instruction.question for q in asked] == [
        f"Who wears it?{SHORT}",
        f"Is it overcast?{SHORT}",
    ]
    assert asked.dropped == {
        "questions that are not balanced": 1,
        "balanced questions that are not asked": 1,
    }


def test_the_plain_question(tmp_path: Path) -> None:
    plain = [q.instruction.question for q in llavas(tmp_path, LINES, "plain")]
    assert plain == ["Who wears it?", "Is it overcast?"]


def test_llavas_file_has_no_answers(tmp_path: Path) -> None:
    asked = load(questions=lines(tmp_path, LINES))  # for `locvlm questions`
    assert asked.truths == "not given"
    assert [(q.id, q.expected) for q in asked] == [("05", ""), ("2017", "")]
    assert asked.questions[0].instruction.question == f"Who wears it?{SHORT}"
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps([{"questionId": "05", "prediction": "woman"}]))
    with pytest.raises(InputError, match="task gqa needs --annotations: testdev_balanced"):
        score("gqa", answers, Sources({"questions": lines(tmp_path, LINES)}))


def test_a_test_split_has_no_answers(tmp_path: Path) -> None:
    known = ("question", "imageId", "isBalanced")
    rows = {n: {key: of[key] for key in known} for n, of in OFFICIAL.items()}
    asked = load(questions=official(tmp_path, rows))
    assert asked.truths == "secret"
    assert {q.id for q in asked} == set(OFFICIAL)  # also what is not balanced
    assert {(q.expected, tuple(q.meta)) for q in asked} == {("", ())}
    (tmp_path / "n23.jpg").touch()
    asked = load(tmp_path, questions=official(tmp_path, rows))
    assert [q.id for q in asked] == ["05"]
    assert sorted(asked.not_asked) == ["2017", "2018", "2019"]
    assert gqa.TASK.submission is not None
    assert gqa.TASK.submission.row("05", " Woman.") == {"questionId": "05", "prediction": "woman"}


@pytest.mark.parametrize("lacks", ["answer", "types"])
def test_all_questions_have_answers_or_none(tmp_path: Path, lacks: str) -> None:
    rows = OFFICIAL | {"05": {key: of for key, of in OFFICIAL["05"].items() if key != lacks}}
    with pytest.raises(InputError, match=f"question '05': has no {lacks}, as others have"):
        load(questions=official(tmp_path, rows))


def test_pictures(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/n23.jpg").touch()
    asked = load(tmp_path, questions=official(tmp_path))
    assert [q.image for q in asked] == ["images/n23.jpg"]
    assert asked.skipped == {"pictures whose file is missing": 1}
    (tmp_path / "images/n23.jpg").unlink()
    with pytest.raises(InputError, match="has none of the 2 pictures"):
        load(tmp_path, questions=official(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"imageId": "../n1"}, r"question '7': the file name '\.\./n1\.jpg' does not stay in its"),
        ({"answer": None}, r"question '7': Expected `str`, got `null` - at `\$\.answer`"),
        ({"types": {"semantic": "obj"}}, r"question '7': .* required field `structural`"),
        ({"question": "Is {repr} it?"}, r"question '7': holds {loc} or {repr}"),
    ],
)
def test_bad_questions(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    rows = {"7": {**OFFICIAL["05"], **change}}
    with pytest.raises(InputError, match=message) as caught:
        load(questions=official(tmp_path, rows))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([LINES[0]] * 2, r"jsonl: line 2: repeats the id '05'"),
        ([{**LINES[0], "question_id": "8"}], r"line 1: '8' is no balanced question of"),
        ([{**LINES[0], "question_id": "2019"}], r"line 1: '2019' is no balanced question of"),
        ([{**LINES[0], "image": "/n1.jpg"}], r"line 1: the file name '/n1\.jpg' does not stay"),
        ([{"question_id": "05"}], r"line 1: not a question in LLaVA's form \(.*`image`\)"),
    ],
)
def test_bad_lines(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        llavas(tmp_path, rows)
    assert "\n" not in str(caught.value)


def test_empty_lines_are_none(tmp_path: Path) -> None:
    path = lines(tmp_path, LINES)
    path.write_text(path.read_text() + "\n")
    assert len(load(questions=path, annotations=official(tmp_path))) == 2


def test_the_official_file_as_both(tmp_path: Path) -> None:
    path = official(tmp_path)
    with pytest.raises(InputError, match="line 1: not a question.* read without --annotations"):
        load(questions=path, annotations=path)


def test_what_is_not_the_official_file(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(InputError, match=r"x\.json: not a GQA questions file \(testdev_balanced_q"):
        load(questions=tmp_path / "x.json")


@pytest.mark.parametrize(
    ("answer", "hit", "strict"),
    [
        ("woman", True, True),
        ("Woman", True, False),
        ("woman.", True, False),
        (" Woman...\n", True, False),
        ("the woman", False, False),
        ("woman!", False, False),
        ("women", False, False),
        ("woman. ", True, False),
        ("", False, False),
    ],
)
def test_outcomes(tmp_path: Path, answer: str, hit: bool, strict: bool) -> None:
    asked = next(q for q in load(questions=official(tmp_path)) if q.id == "05")
    outcome = gqa.score(asked, answer, AnswerContext(None, None, ()))
    assert outcome.hit == outcome.values["accuracy"] == hit
    assert outcome.values["strict accuracy"] == strict


def test_scores(tmp_path: Path) -> None:
    answers = tmp_path / "predictions.json"
    rows = [("2017", "no"), ("05", "man"), ("2018", "Red.")]
    answers.write_text(json.dumps([{"questionId": n, "prediction": text} for n, text in rows]))
    result = score("gqa", answers, Sources({"questions": official(tmp_path)}))
    values = {name: (figure["value"], figure["n"]) for name, figure in result["scores"].items()}
    assert values == {
        "accuracy": (pytest.approx(2 / 3), 3),
        "strict accuracy": (pytest.approx(1 / 3), 3),
        "answer/binary": (1, 2),
        "answer/open": (0, 1),
        "structural type/choose": (1, 1),
        "structural type/query": (0, 1),
        "structural type/verify": (1, 1),
        "semantic type/attribute": (1, 1),
        "semantic type/relation": (0, 1),
        "semantic type/scene": (1, 1),
    }


def test_nothing_to_sum_up() -> None:
    assert {figure.n for figure in gqa.summarize([], seed=0).values()} == {0}
