from pathlib import Path

import msgspec
import pytest

from locvlm.errors import InputError
from locvlm.evaluation.predictions import Columns, Prediction, read_predictions


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
        (
            '{"id": 1, "answer": "a"}\n{"id": 2}',
            "line 2: has no prediction, pred, .* or text, but id; .* with --answer-column",
        ),
        ('{"answer": "a"}', "line 1: has no id, question_id or questionId, but answer; say"),
        ('{"id": 1, "answer": "a"}\n{"id": "1", "answer": "a"}', "line 2: a second answer to '1'"),
        ('{"id": 1, "answer": 0.5}', "line 1, answer: is no text, but 0.5; give the text alone"),
        ('{"id": 1, "answer": ["a", "b"]}', "line 1, answer: is no text"),
        ('{"id": true, "answer": "a"}', "line 1, id: is no text"),
        ('{"id": 1, "prediction": "a", "response": "b"}', "prediction and response may both be"),
        ('[{"id": 1, "answer": "a"}, {"id": 2}]', r"\[1\]: has no prediction"),
        (
            '{"id": 1, "text": "Is there a dog?"}',
            "line 1: 'Is there a dog.' looks like the question",
        ),
        ('{"id": 1, "answer": "a", "target": "b"}', "looks like a row of the questions"),
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


def test_columns_that_do_not_matter_refuse_nothing(tmp_path: Path) -> None:
    row = {
        "question_id": 7,
        "prediction": ["a"],
        "image": ["a.jpg", "b.jpg"],
        "model": {"name": "m"},
        "label": 0.5,
        "frame": 12,
        "coordinates": [1, 2],
        "cut": "no",
        "expected": "another form of the truth",
        "text": {"en": "?"},
    }
    assert read(tmp_path, msgspec.json.encode(row).decode()) == [Prediction("7", "a")]


def test_a_text_is_the_answer_where_the_row_says_whose(tmp_path: Path) -> None:
    row = '{"question_id": 1, "prompt": "Who?", "text": "Why do you ask?", "model_id": "m"}'
    assert read(tmp_path, row) == [Prediction("1", "Why do you ask?", model="m", prompt="Who?")]
    assert read(tmp_path, '{"id": 1, "text": "yes", "response": "no"}') == [Prediction("1", "no")]


def test_columns_that_the_user_names(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    row = {"doc_id": 3, "id": "x", "question": "Is it?", "answer": "yes", "said": "no", "text": "?"}
    path.write_bytes(msgspec.json.encode(row))
    assert read_predictions(path, Columns("doc_id", "said")) == [Prediction("3", "no")]
    assert read_predictions(path, Columns(answer="text")) == [Prediction("x", "?")]
    with pytest.raises(InputError, match="has no key, but doc_id, id, question.*--id-column"):
        read_predictions(path, Columns("key", "said"))


@pytest.mark.parametrize("frame", ["12", '{"model": [1, 1]}'])
def test_a_frame_that_locations_are_read_in_must_be_right(tmp_path: Path, frame: str) -> None:
    row = '{"id": 1, "answer": "a", "coordinates": {"format": "ivb", "options": {}}, "frame": %s}'
    with pytest.raises(InputError, match="line 1, frame: "):
        read(tmp_path, row % frame)


def test_one_answer_may_ask_back(tmp_path: Path) -> None:
    rows = ['{"id": 1, "text": "Who knows?"}', '{"id": 2, "text": "No."}']
    assert len(read(tmp_path, "\n".join(rows))) == 2


def test_answers_by_the_ids_of_their_questions(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"7/dog": "Yes", "8": "No"}')
    assert read_predictions(path) == [Prediction("7/dog", "Yes"), Prediction("8", "No")]
    path.write_text('{"qid": "7", "said": "Yes"}\n{"qid": "8", "said": "No"}')
    with pytest.raises(InputError, match="say which column is the id"):
        read_predictions(path)
