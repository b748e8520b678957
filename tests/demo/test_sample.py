"""The photos that come with the package: allowed, credited, whole and small."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from locvlm.annotations.coco import read_coco
from locvlm.demo.run import IMAGES, SAMPLE, photo_credits

SPLITS = ("train", "val")
FREE = {4, 5, 7}  # CC BY 2.0, CC BY-SA 2.0, no known copyright restrictions


def load(name: str) -> Any:
    return json.loads((SAMPLE / f"{name}.json").read_text())


@pytest.mark.parametrize("split", SPLITS)
def test_only_free_licenses(split: str) -> None:
    images = load(split)["images"]
    assert images
    assert {image["license"] for image in images} <= FREE


def test_every_photo_is_credited_once() -> None:
    rows = load("credits")
    files = [row["file"] for row in rows]
    assert sorted(files) == sorted(path.name for path in IMAGES.iterdir())
    names = {4: "CC BY 2.0", 5: "CC BY-SA 2.0", 7: "No known copyright restrictions"}
    by_file = {row["file"]: row for row in rows}
    page = (SAMPLE / "CREDITS.md").read_text()
    for split in SPLITS:
        for image in load(split)["images"]:
            row = by_file[image["file_name"]]
            assert row["license"] == names[image["license"]]
            assert row["flickr_url"] == image["flickr_url"]
            assert f"| {row['file']} | {split} |" in page
            assert row["page"] in page
    assert set(photo_credits()) == set(files)


@pytest.mark.parametrize("split", SPLITS)
def test_every_box_is_on_a_whole_photo(split: str) -> None:
    annotations = read_coco(SAMPLE / f"{split}.json", images=IMAGES)
    assert not annotations.drops
    for image in annotations.images:
        with Image.open(IMAGES / image.file_name) as photo:
            photo.load()
            assert photo.size == (image.width, image.height)
        assert image.objects


def test_no_photo_is_in_both_splits() -> None:
    train, val = ({image["id"] for image in load(split)["images"]} for split in SPLITS)
    assert not train & val


def test_every_train_photo_has_captions() -> None:
    annotations = read_coco(SAMPLE / "train.json", images=IMAGES, captions=SAMPLE / "captions.json")
    assert all(image.captions for image in annotations.images)


def test_it_is_small() -> None:
    files = [path for path in Path(SAMPLE).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 6_000_000
