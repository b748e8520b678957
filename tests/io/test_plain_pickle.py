import os
import pickle
import pickletools
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.io.plain_pickle import read_plain_pickle

KEYS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
PLAIN = st.recursive(
    KEYS,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(KEYS, inner, max_size=5)
    ),
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pickle") / "a.p"


def load(file: Path, data: bytes) -> Any:
    file.write_bytes(data)
    return read_plain_pickle(file)


def refuse(file: Path, data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        load(file, data)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@given(PLAIN, st.integers(0, pickle.HIGHEST_PROTOCOL))
@example([[1, 2], (), {"a": 1.5, None: True}, "ä\n\\u0041", -(10**30)], 0)
def test_plain_values_come_back(file: Path, value: Any, protocol: int) -> None:
    again = load(file, pickle.dumps(value, protocol))
    assert again == value
    assert repr(again) == repr(value)  # types and order too


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_long_lists_and_shared_values(file: Path, protocol: int) -> None:
    shared = ["a" * 300]
    value = {str(number): [shared, number, number * 10**5] for number in range(3000)}
    assert load(file, pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"S'caf\\xc3\\xa9'\n.", "café"),  # UTF-8
        (b"S'caf\\xe9'\n.", "café"),  # Latin-1
        (b"V\\ud83d\\udc15\n.", "🐕"),  # in two halves
        (b'S"it\'s"\np0\n.', "it's"),
        (b"U\x05caf\xc3\xa9.", "café"),
        (b"T\x04\0\0\0caf\xe9.", "café"),
        (b"Vcaf\\u00e9\n.", "café"),
        (b"(lp0\n(dp1\nS'sent'\np2\nS'a dog'\np3\nsa.", [{"sent": "a dog"}]),
        (b"I01\n.", True),
        (b"L5L\n.", 5),
        (b"I1\nI2\n0.", 1),
    ],
)
def test_pickles_of_python_2(data: bytes, value: Any, file: Path) -> None:
    assert load(file, data) == value


@pytest.mark.parametrize(
    "data",
    [
        b"S'a\n.",  # quotes that do not close
        b"Sa\n.",
        b"}I1\na.",  # a dict to append to
        b"](I1\nI2\nu.",  # a list to update
        b"}(I1\nu.",  # a key without a value
    ],
)
def test_what_cannot_be_built(data: bytes, file: Path) -> None:
    assert "not a complete pickle" in refuse(file, data)


def test_half_a_letter(file: Path) -> None:
    assert "byte 0: not a complete pickle" in refuse(file, b"V\\ud83d\n.")


class Runs:
    """Would make a folder when it is read by Python's own reader."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_is_run(file: Path, tmp_path: Path, protocol: int) -> None:
    made = tmp_path / "made"
    data = pickle.dumps([Runs(made)], protocol)
    assert "more than plain data" in refuse(file, data)
    assert not made.exists()
    pickle.loads(data)
    assert made.exists()  # so the test would have told


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, OrderedDict(), 1j, Path("a"), bytearray(b"a")])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_other_values_are_refused(file: Path, value: Any, protocol: int) -> None:
    assert "more than plain data" in refuse(file, pickle.dumps(value, protocol))


def test_every_instruction_that_is_not_plain_is_refused(file: Path) -> None:
    others = "GLOBAL STACK_GLOBAL REDUCE BUILD INST OBJ NEWOBJ NEWOBJ_EX PERSID BINPERSID EXT1"
    codes = {item.name: item.code for item in pickletools.opcodes}
    for name in others.split():
        assert "byte 0: the pickle holds more" in refuse(file, codes[name].encode("latin-1"))


@given(PLAIN, st.integers(0, pickle.HIGHEST_PROTOCOL), st.data())
def test_cut_anywhere(file: Path, value: Any, protocol: int, data: st.DataObject) -> None:
    whole = pickle.dumps(value, protocol)
    end = data.draw(st.integers(0, len(whole) - 1))
    assert "not a complete pickle" in refuse(file, whole[:end])


@given(st.binary())
def test_any_bytes(file: Path, data: bytes) -> None:
    try:
        load(file, data)
    except InputError as error:
        assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"X\xff\xff\xff\xff.",  # text of 4 GiB that is not there
        b"\x8b\xff\xff\xff\x7f.",
        b"]r\xff\xff\xff\xffj\xff\xff\xff\xff0.",  # a memo with one entry, at its very end
        b"I" + b"9" * 5000 + b"\n.",
        b"(" * 100_000,
        b"}" + b")" + b"\x86" * 50 + b"Ns.",
    ],
)
def test_small_files_stay_small(file: Path, data: bytes) -> None:
    try:
        load(file, data)
    except InputError as error:
        assert "byte" in str(error)


def test_keys_that_take_forever_to_hash(file: Path) -> None:
    doubled = b")" + b"2\x86" * 60  # a pair of the same pair of the same pair …
    assert "a key is a tuple" in refuse(file, b"}" + doubled + b"Ns.")
