"""Every split of a data set, beside the one that is asked for."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from locvlm import annotations
from locvlm.annotations.every_split import read_every_split
from locvlm.annotations.splits import count_splits, select_asked, select_split
from locvlm.errors import InputError


@pytest.fixture
def yolo(tmp_path: Path, jpeg: Callable[..., bytes]) -> Path:
    """Two pictures to train with, one for validation, and a test split without pictures."""
    for split, stems in {"train": ("a", "b"), "valid": ("c",)}.items():
        for kind in ("images", "labels"):
            (tmp_path / split / kind).mkdir(parents=True)
        for stem in stems:
            (tmp_path / split / "images" / f"{stem}.jpg").write_bytes(jpeg())
            (tmp_path / split / "labels" / f"{stem}.txt").write_text("0 .5 .5 .5 .5\n")
    (tmp_path / "valid" / "labels" / "c.txt").write_text("1 .5 .5 .5 .5\n1 .9 .5 .4 .5\n")
    (tmp_path / "data.yaml").write_text(
        "train: train/images\nval: valid/images\ntest: test/images\nnames: [dog, cat, cup]\n"
    )
    return tmp_path


def test_the_one_asked_for_is_as_if_it_were_read_alone(yolo: Path) -> None:
    alone = annotations.read("yolo", yolo, images=yolo)
    data = read_every_split("yolo", yolo, images=yolo)
    asked = select_asked(data)
    assert asked.images == alone.images
    assert {image.split for image in alone.images} == {"train"}
    same = ("categories", "drops", "options", "unboxed", "source")
    assert [getattr(asked, name) for name in same] == [getattr(alone, name) for name in same]


def test_the_others_come_behind(yolo: Path) -> None:
    data = read_every_split("yolo", yolo, images=yolo)
    assert count_splits(data.images) == {"train": 2, "val": 1}
    assert data.splits == ("train", "val")
    assert [image.file_name for image in data.images][2:] == ["valid/images/c.jpg"]
    [image] = select_split(data, "val").images
    assert [item.category for item in image.objects] == ["cat", "cat"]
    assert data.split_drops == {"val": {"boxes clipped to the picture": 1}}


def test_one_that_cannot_be_read_is_said(yolo: Path) -> None:
    remarks = read_every_split("yolo", yolo, images=yolo).remarks
    [said] = [text for text in remarks if "split test" in text]
    assert said.startswith("split test cannot be read, and is left out: ")
    assert "test/images" in said
    (yolo / "valid" / "labels" / "c.txt").write_text("broken")
    data = read_every_split("yolo", yolo, images=yolo)
    assert data.splits == ("train",)
    assert any("split val cannot be read" in text and "c.txt" in text for text in data.remarks)
    with pytest.raises(InputError, match="c.txt"):
        read_every_split("yolo", yolo, images=yolo, split="val")


def test_all_of_them_or_another(yolo: Path) -> None:
    (yolo / "data.yaml").write_text("train: train/images\nval: valid/images\nnames: [dog, cat]\n")
    data = read_every_split("yolo", yolo, images=yolo, split="all")
    assert select_asked(data) is data
    assert count_splits(data.images) == {"train": 2, "val": 1}
    data = read_every_split("yolo", yolo, images=yolo, split="valid")
    assert data.options == {"split": "val"}
    assert [image.split for image in data.images] == ["val", "train", "train"]


def test_a_source_without_splits_is_read_once(yolo: Path) -> None:
    (yolo / "data.yaml").write_text("train: train/images\nnames: [dog, cat]\n")
    data, alone = (read("yolo", yolo, images=yolo) for read in (read_every_split, annotations.read))
    assert data == alone


def test_tables(tmp_path: Path) -> None:
    for split in ("train", "validation"):
        row = {"image_path": f"{split}.jpg", "width": 9, "height": 9}
        row |= {"objects": {"bbox": [[1, 2, 3, 4]], "category": [f"{split}ed"]}}
        pq.write_table(pa.Table.from_pylist([row]), tmp_path / f"{split}.parquet")
    data = read_every_split("datasets", tmp_path)
    assert [(image.split, image.file_name) for image in data.images] == [
        ("train", "train.jpg"),
        ("val", "validation.jpg"),
    ]
    assert data.categories == ("trained",)  # what training asks about, val does not change
    assert [image.objects[0].category for image in data.images] == ["trained", "validationed"]
    every = annotations.read("datasets", tmp_path, split="all")
    assert [image.split for image in every.images] == ["train", "val"]
