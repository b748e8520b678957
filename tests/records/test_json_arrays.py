import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locvlm.records import json_arrays
from locvlm.records.json_arrays import pieces

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
records = st.dictionaries(st.text(max_size=4), values, max_size=3) | st.lists(values, max_size=2)


def read(text: str, chunk: int = 2**20) -> list[tuple[str, bool]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_arrays, "CHUNK", chunk)
        return list(pieces(io.BytesIO(text.encode())))


@settings(deadline=None)
@given(
    st.lists(records, max_size=5),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
    st.integers(1, 40),
)
def test_the_pieces_are_the_file_however_it_is_read(
    value: list[Any], indent: int | None, escaped: bool, chunk: int
) -> None:
    text = "\n" + json.dumps(value, indent=indent, ensure_ascii=escaped) + " \n"
    made = read(text, chunk)
    assert "".join(part for part, _ in made) == text
    assert [json.loads(part) for part, is_item in made if is_item] == value
    assert all(not part.strip(" \n,[]") for part, is_item in made if not is_item)


@pytest.mark.parametrize("text", ["[]", " [ ] ", "[\n]\n"])
def test_nothing(text: str) -> None:
    assert read(text) == [(text, False)]


@pytest.mark.parametrize("chunk", [1, 3, 100])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cut off"),
        ("{}", "'{' in place of \\["),
        ("[", "'' in place of a record"),
        ("[1]", "'1' in place of a record"),
        ("[{}", "cut off"),
        ("[{}}", "'}' in place of , or \\]"),
        ("[{},]", "'\\]' in place of a record"),
        ('[{"a": }]', "Expecting value, in a record that begins here"),
        ('[{}, {"a": "b', "Unterminated string"),
        ("[{}] []", "'\\[' after the end"),
    ],
)
def test_no_array_of_records(text: str, message: str, chunk: int) -> None:
    with pytest.raises(ValueError, match=message):
        read(text, chunk)


def test_no_utf_8() -> None:
    with pytest.raises(UnicodeDecodeError):
        list(pieces(io.BytesIO(b'[{"a": "\xff"}]')))


def test_an_item_that_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_arrays, "CHUNK", 10)
    monkeypatch.setattr(json_arrays, "LONGEST", 50)
    file = io.BytesIO(b'[{"a": "' + b"x" * 10_000)
    with pytest.raises(ValueError, match="Unterminated"):
        list(pieces(file))
    assert file.tell() < 1000


def test_memory_does_not_grow_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_arrays, "CHUNK", 2**12)
    text = json.dumps([{"conversations": "x" * 500}] * 2_000).encode()
    file = io.BytesIO(text)
    tracemalloc.start()
    try:
        assert sum(is_item for _, is_item in pieces(file)) == 2_000
        assert tracemalloc.get_traced_memory()[1] < len(text) / 10
    finally:
        tracemalloc.stop()
