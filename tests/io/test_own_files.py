"""Own files that were changed: one line with file and field, whatever was done to them."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from locvlm.errors import InputError
from locvlm.io.own_files import DEPTH, decode_own, read_own_json
from tests.mutating import mutate_json


class Note(msgspec.Struct):
    count: int
    more: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"count": "1"}', r"Expected `int`, got `str` - at `\$\.count`"),
        (b"{}", "missing required field `count`"),
        (b'{"count": ' + b"1" * 400 + b"}", "a number of 400 digits"),
        (b'{"count": 1, "more": {"x": ' + b"7" * 400 + b"}}", "a number of 400 digits"),
        (b'{"count": 1, "more": {"x": 1e999}}', "out of range"),
        (b'{"count": 1, "more": ' + b'{"a":' * 100_000, "nested too deeply"),
        (b'{"count": 1, "more": {"a": ' + b"[" * 200 + b"]" * 200 + b"}}", "nested more than"),
        (b'{"count": 1, "more": {"a": "\xff"}}', "not UTF-8 text"),
        (b"", "truncated"),
    ],
)
def test_one_line_names_file_and_field(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "note.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match=said) as error:
        read_own_json(path, Note, "a note")
    assert str(error.value).startswith(f"{path}: not a note: ")
    assert len(str(error.value).splitlines()) == 1


def test_long_texts_and_wide_lists_are_fine() -> None:
    more: dict[str, Any] = {"1" * 30: ["[" * 500, "9" * 50, 0.1234567890123456, '"[', "\\"]}
    more["wide"] = [[1, [2]] for _ in range(5 * DEPTH)]
    note = {"count": 1, "more": more}
    assert msgspec.to_builtins(decode_own(msgspec.json.encode(note), Note, "", "")) == note
    assert decode_own(b"0.1" + b"2" * 40, float, "", "") == pytest.approx(0.1222222)


def test_any_change_is_told_or_fine() -> None:
    for data in mutate_json({"count": 1, "more": {"a": [1, {"b": "c"}]}}):
        try:
            decode_own(data, Note, "note.json", "a note")
        except InputError as error:
            assert len(str(error)) < 500
