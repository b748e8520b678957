from pathlib import Path

import msgspec
import pytest

from locvlm.errors import InputError
from locvlm.evaluation.predictions import Prediction, read_predictions


def read(folder: Path, text: str) -> list[Prediction]:
    path = folder / "answers.jsonl"
    path.write_text(text)
    return read_predictions(path)


@pytest.mark.parametrize("text", ["", "[]", " [ ] "])
def test_none(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == []


def test_ours_come_back(tmp_path: Path) -> None:
    row = Prediction("7/dog", "yes", "7.jpg", "tiny", "Is it?", "no", {"format": "ivb"})
    assert read(tmp_path, msgspec.json.encode(row).decode()) == [row]


def test_those_of_other_tools(tmp_path: Path) -> None:
    rows = [
        '{"question_id": 7, "prediction": "a", "answer": "true one"}',
        '{"id": "8", "question_id": 9, "text": "b", "model_id": "llava"}',
        '{"question_id": 262148000, "answer": ""}',
        '{"questionId": "201307251", "prediction": "no"}',
    ]
    expected = [
        Prediction("7", "a"),
        Prediction("8", "b", model="llava"),
        Prediction("262148000", ""),
        Prediction("201307251", "no"),
    ]
    assert read(tmp_path, "\n".join(rows)) == expected
    assert read(tmp_path, f"[{', '.join(rows)}]") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": 1, "answer": "a"}\n{"id": 2}', "line 2: has no prediction, answer or text"),
        ('{"answer": "a"}', "line 1: has no id or question_id"),
        ('{"id": 1, "answer": "a"}\n{"id": "1", "answer": "a"}', "line 2: a second answer to '1'"),
        ('{"id": 1, "answer": 5}', "line 1: not a row of predictions"),
        ('[{"id": 1, "answer": "a"}, {"id": 2}]', r"\[1\]: has no prediction"),
        ("[1]", "not a list of predictions"),
        ("{", "line 1: not a row of predictions"),
    ],
)
def test_bad_rows(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_predictions(tmp_path / "none.jsonl")


def test_the_truth_is_no_prediction(tmp_path: Path) -> None:
    row = '{"id": "a", "question": "who?", "answer": "the truth", "pred": "the answer"}'
    assert read(tmp_path, row) == [Prediction("a", "the answer")]
    for text in (
        '{"question_id": 1, "image": "a.jpg", "text": "Is there a dog?", "label": "yes"}',
        '{"id": 1, "question": "who?", "answer": "a man", "video_id": 3}',
    ):
        with pytest.raises(InputError, match="looks like a row of the questions"):
            read(tmp_path, text)
