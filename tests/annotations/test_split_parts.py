"""Annotations in parts, one for each split: folders, or files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm import annotations
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.every_split import read_every_split
from locvlm.annotations.split_parts import UNREAD, split_in_name
from locvlm.annotations.splits import count_splits
from locvlm.errors import InputError

FORMS = ("coco", "labelme", "labelstudio", "lvis", "openimages", "table", "via", "voc")


def read(path: Path, images: Path | None, **options: Any) -> AnnotationSet:
    return annotations.read(annotations.detect_format(path)[0], path, images=images, **options)


@pytest.mark.parametrize("form", FORMS)
def test_folders_of_splits(form: str, samples: dict[str, Any], tmp_path: Path) -> None:
    """Each holds what the form is, with its images, as Roboflow exports it."""
    sample = samples[form]
    path, images = sample.write(tmp_path / "alone"), tmp_path / "alone" / sample.images
    alone = annotations.read(form, path, images=images)
    for own in ("train", "valid"):
        sample.write(tmp_path / "set" / own)
        if form == "labelme":  # beside their images
            for file in (tmp_path / "set" / own / sample.path).glob("*.json"):
                file.rename(tmp_path / "set" / own / file.name)
    root = tmp_path / "set"
    guessed, reason = annotations.detect_format(root)
    assert guessed == form
    assert reason.startswith("train") and "valid" in reason
    data = read(root, root)
    assert (data.splits, data.options["split"]) == (("train", "val"), "train")
    assert [image.objects for image in data.images] == [image.objects for image in alone.images]
    assert {image.split for image in data.images} == {"train"}
    every = read(root, root, split="all")
    assert count_splits(every.images) == dict.fromkeys(("train", "val"), len(alone.images))
    assert len({image.id for image in every.images}) == len(every.images)
    for image in every.images:
        assert image.file_name.startswith("train/" if image.split == "train" else "valid/")
        assert (root / image.file_name).is_file()
    assert list(read(root, root, split="valid").images) == list(every.images)[len(data.images) :]


def coco(*names: str, category: str = "dog", boxes: bool = True) -> str:
    images = [
        {"id": n, "file_name": name, "width": 40, "height": 30} for n, name in enumerate(names)
    ]
    boxed = [
        {"id": n, "image_id": n, "category_id": 1, "bbox": [1, 2, 3, 4]}
        for n in range(len(names) * boxes)
    ]
    kinds = [{"id": 1, "name": category}, {"id": 2, "name": "cup"}]
    return json.dumps({"images": images, "annotations": boxed, "categories": kinds})


@pytest.fixture
def files(tmp_path: Path, jpeg: Callable[..., bytes]) -> Path:
    """COCO's own layout: files of each split, images in folders beside, captions and key points."""
    root = tmp_path / "coco"
    for split, names in {"train2017": ("1.jpg", "2.jpg"), "val2017": ("1.jpg",)}.items():
        (root / "annotations").mkdir(parents=True, exist_ok=True)
        for kind in ("instances", "captions", "person_keypoints"):
            (root / f"annotations/{kind}_{split}.json").write_text(coco(*names))
        for name in names:
            (root / split).mkdir(exist_ok=True)
            (root / split / name).write_bytes(jpeg())
    return root


@pytest.mark.parametrize("below", ["", "annotations"])
def test_a_file_for_each_split(files: Path, below: str) -> None:
    data = read_every_split("coco", files / below, images=files)
    assert [(image.split, image.id, image.file_name) for image in data.images] == [
        ("train", "train2017/0", "train2017/1.jpg"),
        ("train", "train2017/1", "train2017/2.jpg"),
        ("val", "val2017/0", "val2017/1.jpg"),
    ]
    assert not data.drops
    form, reason = annotations.detect_format(files / below)
    assert form == "coco"
    assert "instances_train2017.json, " in reason and "captions" not in reason


def test_images_in_one_folder(files: Path, tmp_path: Path, jpeg: Callable[..., bytes]) -> None:
    (tmp_path / "flat").mkdir()
    for name in ("1.jpg", "2.jpg"):
        (tmp_path / "flat" / name).write_bytes(jpeg())
    data = read(files / "annotations", tmp_path / "flat", split="val")
    assert [image.file_name for image in data.images] == ["1.jpg"]
    data = read(files / "annotations", None, split="val")
    assert [image.file_name for image in data.images] == ["1.jpg"]  # nobody looks where it is


def test_all_have_the_categories_of_any(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text(coco("1.jpg"))
    (tmp_path / "valid.json").write_text(coco("2.jpg", category="cat"))
    data = read(tmp_path, None, split="all")
    assert data.categories == ("dog", "cup", "cat")
    assert [image.objects[0].category for image in data.images] == ["dog", "cat"]
    assert data.unboxed == ("cup",)
    assert data.source == tmp_path
    [said] = data.remarks
    assert "never called absent: 1 (cup)" in said


def test_several_files_for_one_split(tmp_path: Path) -> None:
    for name in ("train_a", "train_b"):
        (tmp_path / f"{name}.json").write_text(coco("1.jpg"))
    with pytest.raises(InputError, match=r"several files may be its split train \(train_a.json, t"):
        read(tmp_path, None)


def test_files_whose_names_say_nothing(tmp_path: Path) -> None:
    for name in ("a", "latest"):
        (tmp_path / f"{name}.json").write_text(coco("1.jpg"))
    with pytest.raises(InputError, match=r"JSON files; give one of them: a\.json"):
        read(tmp_path, None)


def test_no_such_split(files: Path) -> None:
    with pytest.raises(InputError, match="no split 'test'; it has: 'train, val'"):
        read(files, files, split="test")
    with pytest.raises(InputError, match="has no split 'val'; it has none"):
        read(files / "annotations" / "instances_val2017.json", files, split="val")


def test_captions_are_of_the_split_that_is_asked_for(files: Path) -> None:
    said = {"images": json.loads(coco("1.jpg", "2.jpg"))["images"], "annotations": []}
    said["annotations"] = [{"id": 1, "image_id": 0, "caption": "A dog."}]
    captions = files / "annotations" / "captions_train2017.json"
    captions.write_text(json.dumps(said))
    data = read_every_split("coco", files, images=files, captions=captions)
    assert [image.captions for image in data.images] == [("A dog.",), (), ()]
    assert not any("cannot be read" in text for text in data.remarks)


@given(st.text(max_size=20))
def test_any_name(name: str) -> None:
    own = split_in_name(name)
    assert own in name


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("validation-annotations-bbox", "validation"),
        ("train_labels", "train"),
        ("VAL", "VAL"),
        ("trainval", ""),
        ("train_test", ""),
        ("constraints", ""),
    ],
)
def test_names(name: str, own: str) -> None:
    assert split_in_name(name) == own


class TestVocLists:
    @pytest.fixture
    def root(self, samples: dict[str, Any], tmp_path: Path) -> Path:
        """7.jpg with a dog for training, 8.jpg without for validation."""
        samples["voc"].write(tmp_path)
        (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
        for name, lines in {"train": "7\n", "val": "8\n", "dog_train": "7 1\n8 -1\n"}.items():
            (tmp_path / f"ImageSets/Main/{name}.txt").write_text(lines)
        return tmp_path

    @pytest.mark.parametrize("below", ["", "Annotations"])
    def test_each(self, root: Path, below: str) -> None:
        path, images = root / below, root / "JPEGImages"
        for split, names in ((None, ["7.jpg"]), ("val", ["8.jpg"]), ("all", ["7.jpg", "8.jpg"])):
            data = annotations.read("voc", path, images=images, split=split)
            assert [image.file_name for image in data.images] == names
            assert data.splits == ("train", "val")
            assert data.categories == ("dog",)
            assert data.unboxed == ()  # of all files
            assert not data.drops
        assert [image.split for image in data.images] == ["train", "val"]
        assert count_splits(read_every_split("voc", path, images=images).images) == {
            "train": 1,
            "val": 1,
        }

    def test_what_is_in_no_list(self, root: Path) -> None:
        (root / "ImageSets/Main/val.txt").unlink()
        data = annotations.read("voc", root, images=root / "JPEGImages")
        assert data.drops == {"pictures that no list of ImageSets names": 1}
        assert (data.splits, len(data.images)) == (("train",), 1)

    def test_other_lists(self, root: Path) -> None:
        for name in ("train", "val"):
            (root / f"ImageSets/Main/{name}.txt").unlink()
        data = annotations.read("voc", root, images=root / "JPEGImages")
        assert (data.splits, len(data.images)) == (("train",), 2)  # of dog_train.txt
        (root / "ImageSets/Main/dog_train.txt").unlink()
        data = annotations.read("voc", root, images=root / "JPEGImages")
        assert (data.splits, len(data.images)) == ((), 2)
        (root / "ImageSets/Main/trainval.txt").write_text("7.xml\n8.jpg\n\n")
        data = annotations.read("voc", root, images=root / "JPEGImages")
        assert (data.splits, len(data.images)) == (("train",), 2)

    @pytest.mark.parametrize(
        "lists",
        [
            {"dog_train": "7  1\n", "dog_val": "8 -1\n"},
            {"train": "7.PNG\n", "valid": "JPEGImages/8.jpeg\n"},
            {"train": "JPEGImages/7.jpg Annotations/7.xml\n", "val": ".\\JPEGImages\\8.jpg"},
        ],
    )
    @pytest.mark.parametrize("below", ["ImageSets/Main", "ImageSets", ""])
    def test_as_tools_write_them(self, lists: dict[str, str], below: str, root: Path) -> None:
        for file in (root / "ImageSets" / "Main").iterdir():
            file.unlink()
        for name, lines in lists.items():
            (root / below / f"{name}.txt").write_text(lines)
        data = annotations.read("voc", root, images=root / "JPEGImages", split="all")
        assert [(image.id, image.split) for image in data.images] == [("7", "train"), ("8", "val")]

    def test_lists_of_something_else(self, root: Path) -> None:
        for name in ("train", "val", "dog_train"):
            (root / f"ImageSets/Main/{name}.txt").unlink()
        (root / "train.txt").write_text("dog\ncat\n")
        data = annotations.read("voc", root, images=root / "JPEGImages")
        assert (data.splits, len(data.images)) == ((), 2)

    def test_lines_without_a_file(self, root: Path) -> None:
        (root / "ImageSets/Main/val.txt").write_text("9\n10\n")
        data = read_every_split("voc", root, images=root / "JPEGImages")
        assert data.splits == ("train",)
        assert data.drops["lines in the lists of splits without an XML file"] == 2
        [said] = [text for text in data.remarks if "split val has no picture" in text]
        assert "lines in the lists of splits without an XML file: 2" in said


def test_a_split_that_has_no_annotations_is_said(files: Path) -> None:
    """As where the download was cut, or one file was never exported."""
    whole = annotations.read("coco", files / "annotations", images=files)
    assert not any(text.startswith(UNREAD) for text in whole.remarks)
    for file in (files / "annotations").glob("*val2017*"):
        file.write_text("")
    data = read_every_split("coco", files / "annotations", images=files)
    assert data.splits == ("train",)
    [said] = [text for text in data.remarks if text.startswith(UNREAD)]
    assert "_val2017.json" in said


def test_a_folder_of_a_split_without_annotations_is_said(tmp_path: Path) -> None:
    for name in ("train", "valid", "test"):
        (tmp_path / name).mkdir()
    (tmp_path / "train" / "a.json").write_text(coco("1.jpg"))
    (tmp_path / "valid" / "2.jpg").touch()
    remarks = annotations.read("coco", tmp_path).remarks
    assert [text for text in remarks if text.startswith(UNREAD)] == [f"{UNREAD}valid"]


def test_a_split_without_pictures_is_said(files: Path) -> None:
    (files / "annotations" / "instances_val2017.json").write_text(coco())
    data = read_every_split("coco", files / "annotations", images=files)
    assert data.splits == ("train",)
    assert "has no picture in its split val" in " ".join(data.remarks)
    with pytest.raises(InputError, match="no picture in its split val; its splits are: train, val"):
        annotations.read("coco", files / "annotations", images=files, split="val")
