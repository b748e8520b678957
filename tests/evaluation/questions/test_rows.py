import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.evaluation.questions.rows import checked_text, read_rows


class Row(msgspec.Struct):
    text: str
    number: int = 0


def read(tmp_path, data):
    path = tmp_path / "rows.json"
    path.write_bytes(data)
    return [(place.removeprefix(str(tmp_path)), row) for place, row in read_rows(path, Row, "test")]


@pytest.mark.parametrize("data", [b"", b"\n \n", b"[]", b" [ ]"])
def test_nothing(tmp_path, data):
    assert read(tmp_path, data) == []


def test_lines_and_lists_are_told_apart(tmp_path):
    assert read(tmp_path, b'\xef\xbb\xbf{"text": "a"}\r\n\n{"text": "b", "other": 1}') == [
        ("/rows.json: line 1", Row("a")),
        ("/rows.json: line 3", Row("b")),
    ]
    assert read(tmp_path, b'\n[{"text": "a"}, {"text": "b"}]') == [
        ("/rows.json: [0]", Row("a")),
        ("/rows.json: [1]", Row("b")),
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"text": "a"}\n{"text": 1}', r"line 2: not a row of a test: .*got `int` - at `\$.text`"),
        (b'{"text": "a"}\n{"text"', "line 2: not a row of a test: .*truncated"),
        (b'{"text": "\xff"}', "line 1: not a row of a test"),
        (b'[{"text": "a"}, {}]', r"not a test: .*missing required field `text` - at `\$\[1\]`"),
        (b'[{"text": "a"}', "not complete JSON: it ends too early"),
        (b"3", "line 1: not a row of a test"),
    ],
)
def test_bad_rows_are_one_line_with_their_place(tmp_path, data, message):
    with pytest.raises(InputError, match=message) as error:
        read(tmp_path, data)
    assert "\n" not in str(error.value)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="none.json: cannot be read"):
        list(read_rows(tmp_path / "none.json", Row, "test"))


@given(st.lists(st.text(), max_size=5))
def test_both_forms_hold_the_same(tmp_path_factory, texts):
    folder = tmp_path_factory.getbasetemp()
    rows = [{"text": text} for text in texts]
    as_lines = read(folder, "".join(json.dumps(row) + "\n" for row in rows).encode())
    as_list = read(folder, json.dumps(rows).encode())
    assert [row for _, row in as_lines] == [row for _, row in as_list]
    assert [row.text for _, row in as_list] == texts


def test_what_can_be_asked():
    assert checked_text(" Is it\n there? ", "row 1") == "Is it there?"
    for text in ("", " \n", "at {loc}", "a } b"):
        with pytest.raises(InputError, match="row 1: .* cannot be asked"):
            checked_text(text, "row 1")
