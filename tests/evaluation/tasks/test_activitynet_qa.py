import json
from pathlib import Path
from typing import Any

import pytest

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.scoring import score
from locvlm.evaluation.task import AnswerContext, QuestionSet, Sources

QUESTIONS = [
    {"video_name": "a", "question": "is it indoor", "question_id": "v_a_1"},
    {"video_name": "b", "question": "what color is it", "question_id": "v_b_1"},
    {"video_name": "a", "question": "what does he do", "question_id": "v_a_2"},
]
ANSWERS = [
    {"answer": "red", "type": 4, "question_id": "v_b_1"},
    {"answer": "play guitar", "type": 0, "question_id": "v_a_2"},
    {"answer": "no", "type": 3, "question_id": "v_a_1"},
]


def files(folder: Path, questions: Any, answers: Any) -> Sources:
    paths = {"questions": folder / "test_q.json", "annotations": folder / "test_a.json"}
    for path, rows in zip(paths.values(), (questions, answers), strict=True):
        path.write_text(json.dumps(rows))
    return Sources(paths)


def load(folder: Path, questions: Any, answers: Any) -> QuestionSet:
    return tasks.load("activitynet-qa", files(folder, questions, answers), seed=0, options={})


def test_questions_meet_their_answers(tmp_path: Path) -> None:
    spare = {"answer": "x", "type": 8, "question_id": "v_c_1"}
    asked = load(tmp_path, QUESTIONS, [*ANSWERS, spare])
    assert [(q.id, q.image, q.expected, q.meta["type"]) for q in asked] == [
        ("v_a_1", "v_a.mp4", "no", "yes-no"),
        ("v_a_2", "v_a.mp4", "play guitar", "motion"),
        ("v_b_1", "v_b.mp4", "red", "color"),
    ]
    assert asked.dropped == {"answers to no question": 1}
    assert not load(tmp_path, QUESTIONS, ANSWERS).dropped


@pytest.mark.parametrize(
    ("questions", "answers", "message"),
    [
        ([], ANSWERS, "no question for activitynet-qa"),
        (QUESTIONS, ANSWERS[:2], r"test_q.json: \[0\].question_id: 'v_a_1' has no answer in"),
        ([*QUESTIONS, QUESTIONS[1]], ANSWERS, r"\[3\].question_id: a second question 'v_b_1'"),
        (QUESTIONS, [*ANSWERS, ANSWERS[0]], r"\[3\].question_id: a second answer to 'v_b_1'"),
        (QUESTIONS, [{**ANSWERS[0], "type": 9}], r"< 9 - at `\$\[0\].type`|<= 8"),
        (ANSWERS, ANSWERS, "test_q.json: not a list of questions"),
    ],
)
def test_bad_files(tmp_path: Path, questions: Any, answers: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        load(tmp_path, questions, answers)
    assert "\n" not in str(error.value)


def test_the_official_figures_by_hand(tmp_path: Path) -> None:
    """Nine questions, one of each type; those with an even type are right, the first verbatim."""
    questions = [{**QUESTIONS[0], "question_id": str(n)} for n in range(9)]
    answers = [{"answer": f"a{n}", "type": n, "question_id": str(n)} for n in range(9)]
    said = ["a0", "b", "A2.", "b", "A4.", "b", "A6.", "b", "A8."]
    predictions = tmp_path / "answers.json"
    predictions.write_text(
        json.dumps([{"question_id": str(n), "answer": text} for n, text in enumerate(said)])
    )
    result = score("activitynet-qa", predictions, files(tmp_path, questions, answers))
    figures = {name: (s["value"], s["n"]) for name, s in result["scores"].items()}
    assert figures == {
        "accuracy": (5 / 9, 9),
        "verbatim accuracy": (1 / 9, 9),
        "type/motion": (1, 1),
        "type/spatial": (0, 1),
        "type/temporal": (1, 1),
        "type/yes-no": (0, 1),
        "type/color": (1, 1),
        "type/object": (0, 1),
        "type/location": (1, 1),
        "type/number": (0, 1),
        "type/other": (1, 1),
        "type/free": (3 / 6, 6),
    }


def test_an_ideal_answer_is_right(tmp_path: Path) -> None:
    task = tasks.get("activitynet-qa")
    for question in load(tmp_path, QUESTIONS, ANSWERS):
        outcome = task.score(question, question.instruction.answer, AnswerContext(None, None, ()))
        assert outcome.hit
        assert outcome.values["verbatim"]
