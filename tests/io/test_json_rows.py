import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.io.json_rows import json_rows


class Row(msgspec.Struct):
    text: str
    number: int = 0


def read(tmp_path, data):
    path = tmp_path / "rows.json"
    path.write_bytes(data)
    return [
        (place.removeprefix(str(tmp_path)), row) for place, row in json_rows(path, Row, "tests")
    ]


@pytest.mark.parametrize("data", [b"", b"\n \n", b"[]", b" [ ]"])
def test_nothing(tmp_path, data):
    assert read(tmp_path, data) == []


def test_lines_and_lists_are_told_apart(tmp_path):
    assert read(tmp_path, b'\xef\xbb\xbf{"text": "a"}\r\n\n{"text": "b", "other": 1}') == [
        ("/rows.json: line 1", Row("a")),
        ("/rows.json: line 3", Row("b")),
    ]
    assert read(tmp_path, b'\xef\xbb\xbf\n[{"text": "a"}, {"text": "b"}]') == [
        ("/rows.json: [0]", Row("a")),
        ("/rows.json: [1]", Row("b")),
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"text": "a"}\n{"text": 1}', r"line 2: not a row of tests: .*got `int` - at `\$.text`"),
        (b'{"text": "a"}\n{"text"', "line 2: not a row of tests: .*truncated"),
        (b'{"text": "\xff"}', "line 1: not a row of tests"),
        (
            b'[{"text": "a"}, {}]',
            r"not a list of tests: .*required field `text` - at `\$\[1\]`",
        ),
        (b'[{"text": "a"}', "not complete JSON: it ends too early"),
        (b"3", "line 1: not a row of tests"),
    ],
)
def test_bad_rows_are_one_line_with_their_place(tmp_path, data, message):
    with pytest.raises(InputError, match=message) as error:
        read(tmp_path, data)
    assert "\n" not in str(error.value)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="none.json: cannot be read"):
        list(json_rows(tmp_path / "none.json", Row, "tests"))


@given(st.lists(st.text(), max_size=5))
def test_both_forms_hold_the_same(tmp_path_factory, texts):
    folder = tmp_path_factory.getbasetemp()
    rows = [{"text": text} for text in texts]
    as_lines = read(folder, "".join(json.dumps(row) + "\n" for row in rows).encode())
    as_list = read(folder, json.dumps(rows).encode())
    assert [row for _, row in as_lines] == [row for _, row in as_list]
    assert [row.text for _, row in as_list] == texts
