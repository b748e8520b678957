from pathlib import Path

import pytest

from locvlm.annotations.splits import ALL, choose_split
from locvlm.errors import InputError

PATH = Path("data.yaml")


@pytest.mark.parametrize(
    ("split", "known", "expected"),
    [
        (None, [], ALL),
        (None, ["val"], "val"),
        (None, ["train", "val"], "train"),
        ("val", ["train", "val"], "val"),
        (ALL, ["train", "val"], ALL),
        (ALL, [], ALL),
    ],
)
def test_the_one_that_is_read(split: str | None, known: list[str], expected: str) -> None:
    assert choose_split(split, known, PATH) == expected


@pytest.mark.parametrize(
    ("split", "known", "message"),
    [
        ("tset", ["train", "test"], r"data\.yaml: has no split 'tset'; it has: 'train, test'"),
        ("val", [], "has no split 'val'; it has none"),
        (None, ["testA", "testB"], "has no split train; give --split NAME or all"),
    ],
)
def test_no_such_split(split: str | None, known: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_split(split, known, PATH)
