"""MSVD-QA and MSRVTT-QA, whose files have the same form."""

import json
from pathlib import Path
from typing import Any

import pytest

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.task import QuestionSet, Sources
from locvlm.evaluation.tasks.caption_qa import first_word

ROWS = [
    {"answer": "man", "id": 37350, "question": "who opens a box?", "video_id": 1451},
    {"answer": "dog", "id": 9, "question": "what runs?", "video_id": 7, "category_id": 3},
    {"answer": "two", "id": 37351, "question": "How many men are there?", "video_id": 1451},
]


def load(folder: Path, rows: Any, name: str = "msvd-qa") -> QuestionSet:
    path = folder / "test_qa.json"
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows))
    return tasks.load(name, Sources({"questions": path}), seed=0, options={})


def test_questions_by_clip(tmp_path: Path) -> None:
    asked = load(tmp_path, ROWS)
    assert [(q.id, q.image, q.expected, q.meta["type"]) for q in asked] == [
        ("37350", "vid1451.avi", "man", "who"),
        ("37351", "vid1451.avi", "two", "how"),
        ("9", "vid7.avi", "dog", "what"),
    ]
    assert next(iter(asked)).instruction.question == "who opens a box?"
    assert (asked.source, dict(asked.dropped)) == ("test_qa.json", {})


def test_msrvtt(tmp_path: Path) -> None:
    asked = load(tmp_path, ROWS, "msrvtt-qa")
    assert [q.image for q in asked] == ["video1451.mp4", "video1451.mp4", "video7.mp4"]
    assert {q.instruction.objective for q in asked} == {"msrvtt-qa"}


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ("what runs?", "what"),
        ("Who is it?", "who"),
        ("how", "how"),
        ("when?", "when"),
        ("  where is", "where"),
        ("what's up", "what"),
        ("whose dog is it?", "other"),
        ("is it a dog?", "other"),
        ("?", "other"),
    ],
)
def test_first_word(asked: str, word: str) -> None:
    assert first_word(asked) == word


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no question for msvd-qa can be made"),
        ([*ROWS, ROWS[0]], r"\[3\].id: a second question '37350'; remove one"),
        (
            [{**ROWS[0], "id": 1}, {"id": 2, "question": "?", "video_id": 1}],
            r"`answer` - at `\$\[1\]`",
        ),
        ([{**ROWS[0], "answer": ""}], r"length >= 1 - at `\$\[0\].answer`"),
        ([{**ROWS[0], "video_id": ["x"]}], r"at `\$\[0\].video_id`"),
        ({"questions": "x"}, "not a list of questions"),
        ({"questions": ROWS, "others": ROWS}, "not a list of questions"),
        ("[{", "not complete JSON"),
    ],
)
def test_bad_files(tmp_path: Path, rows: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        load(tmp_path, rows)
    assert "\n" not in str(error.value)


def test_every_word_has_a_score() -> None:
    scores = tasks.get("msvd-qa").summarize([], seed=0)
    words = [name.removeprefix("type/") for name in scores if name.startswith("type/")]
    assert words == ["what", "who", "how", "when", "where", "other"]
