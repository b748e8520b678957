from pathlib import Path

import pytest

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.annotations.columns import ColumnarImages
from locvlm.annotations.splits import (
    ALL,
    HELD_OUT,
    canonical_split,
    choose_split,
    count_splits,
    list_held_out,
    name_splits,
    select_asked,
    select_split,
)
from locvlm.errors import InputError
from locvlm.geometry import Box

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
        ("valid", ["train", "val"], "val"),
        ("validation2017", ["train", "val"], "val"),
        ("dev", ["dev", "val"], "dev"),
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


@pytest.mark.parametrize(
    ("own", "names"),
    [
        ([], []),
        (["training", "valid", "testing"], ["train", "val", "test"]),
        (["train2017", "val2017", "unlabeled2017"], ["train", "val", "unlabeled2017"]),
        (["val", "dev"], ["val", "dev"]),
        (["train2014", "train2017"], ["train2014", "train2017"]),
        (["testA", "train"], ["testA", "train"]),
        (["Valid"], ["val"]),
    ],
)
def test_what_they_are_called(own: list[str], names: list[str]) -> None:
    assert name_splits(own) == dict(zip(own, names, strict=True))
    assert [canonical_split(name) for name in names] == [
        canonical_split(name) for name in own
    ]  # stable


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], ALL),
        (["train"], "train"),
        (["train", "val", "test"], "val"),
        (["test", "train"], "test"),
        (["train", "minival"], ALL),
    ],
)
def test_the_one_to_evaluate_on(known: list[str], expected: str) -> None:
    assert choose_split(HELD_OUT, known, PATH) == expected


@pytest.mark.parametrize("columnar", [False, True])
def test_the_images_of_one(columnar: bool) -> None:
    dog, cat = (Object(name, Box(1, 2, 3, 4)) for name in ("dog", "cat"))
    images: list[AnnotatedImage] | ColumnarImages = [
        AnnotatedImage(1, "1.png", 9, 9, (dog,), split="train"),
        AnnotatedImage(2, "2.png", 9, 9, (cat, dog), split="val"),
        AnnotatedImage(3, "3.png", 9, 9, split="train"),
        AnnotatedImage(4, "1.png", 9, 9, (cat,), split="val"),  # in both
    ]
    if columnar:
        images = ColumnarImages.of(images, ["dog", "cat"])
    splits = {"splits": ("train", "val"), "options": {"split": "train"}}
    data = AnnotationSet(images, ("dog", "cat"), PATH, **splits)  # type: ignore[arg-type]
    assert count_splits(data.images) == {"train": 2, "val": 2}
    asked = select_asked(data)
    assert list(asked.images) == [images[0], images[2]]
    assert list(select_split(data, "val").images) == [images[1], images[3]]
    assert list_held_out(data, asked) == ("2.png",)
    assert select_split(data, ALL) is select_split(data, "") is data
    assert list_held_out(data, data) == ()
    assert select_split(asked, "train") is asked  # nothing is copied where there is only one
