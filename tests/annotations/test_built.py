"""A data set that was built is annotations, too: of all its splits."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from locvlm import annotations
from locvlm.annotations.built import MANIFEST, OBJECTS, read_built
from locvlm.errors import InputError
from locvlm.instructions.build_files import BuildOptions, build_from_files


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Of a YOLO folder with two images in each of train and val; cups are in none."""
    root = tmp_path / "set"
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (root / kind / split).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (60, 40)).save(root / "images" / split / f"{number}.png")
            line = f"{number if split == 'train' else 2} .5 .5 .5 .5\n"
            (root / "labels" / split / f"{number}.txt").write_text(line)
    (root / "data.yaml").write_text(
        "train: images/train\nval: images/val\nnames: [dog, cat, bus, cup]\n"
    )
    build_from_files(root, root, tmp_path / "data", BuildOptions(reader="yolo"))
    return tmp_path / "data"


def source(built: Path) -> Path:
    return built.parent / "set"


@pytest.mark.parametrize("split", ["train", "val", "all"])
def test_as_the_annotations_that_it_was_made_of(built: Path, split: str) -> None:
    """But for what is said of categories: here those of all splits are known."""
    data = annotations.read("built", built, images=source(built), split=split)
    true = annotations.read("yolo", source(built), images=source(built), split=split)
    assert [
        (i.file_name, i.width, i.height, i.split, [(o.category, o.box) for o in i.objects])
        for i in data.images
    ] == [
        (i.file_name, i.width, i.height, i.split, [(o.category, o.box) for o in i.objects])
        for i in true.images
    ]
    assert (data.categories, data.splits) == (true.categories, true.splits)
    assert data.source == built
    assert data.unboxed == ("cup",)  # of train alone the bus, too
    assert not data.drops


def test_the_form_is_told(built: Path) -> None:
    assert annotations.detect_format(built)[0] == "built"


def test_images_that_are_gone_or_renamed(built: Path) -> None:
    folder = source(built) / "images" / "val"
    (folder / "0.png").unlink()
    (folder / "1.png").rename(folder / "1.PNG")
    data = read_built(built, images=source(built), split="val")
    assert [image.file_name for image in data.images] == ["images/val/1.PNG"]
    assert data.drops["pictures whose file is missing"] == 1
    assert [len(image.objects) for image in data.images] == [1]


def test_one_that_two_splits_have_is_there_once(built: Path, tmp_path: Path) -> None:
    yaml = source(built) / "data.yaml"
    yaml.write_text("train: images/train\nval: images\nnames: [dog, cat, bus, cup]\n")
    build_from_files(source(built), source(built), tmp_path / "two", BuildOptions(reader="yolo"))
    data = read_built(tmp_path / "two", split="all")
    assert len(data.images) == 4
    assert data.drops == {"pictures that another split has, too": 2}
    assert len(read_built(tmp_path / "two", split="val").images) == 4


def rewrite(built: Path, **changes: Any) -> None:
    tree = json.loads((built / MANIFEST).read_text())
    (built / MANIFEST).write_text(json.dumps(tree | changes))


def test_what_cannot_be_read(built: Path) -> None:
    with pytest.raises(InputError, match="no split 'test'; it has: 'train, val'"):
        read_built(built, split="test")
    with pytest.raises(InputError, match="no data set of locvlm build"):
        read_built(source(built))
    rewrite(built, objects_sha256="")
    with pytest.raises(InputError, match=r"has no objects\.parquet, for it was read from texts"):
        read_built(built)
    rewrite(built, objects_sha256="0" * 64)
    with pytest.raises(InputError, match="is not the file that"):
        read_built(built)
    rewrite(built, type="other")
    with pytest.raises(InputError, match="not a manifest"):
        read_built(built)
    (built / OBJECTS).unlink()
    with pytest.raises(InputError):
        read_built(built)


def test_it_can_be_built_from(built: Path, tmp_path: Path) -> None:
    """Its folder of images is known."""
    out = tmp_path / "again"
    manifest = build_from_files(built, None, out, BuildOptions(reader="built", split="val"))
    assert manifest.images == str(source(built))
    assert (manifest.split, manifest.split_images) == ("val", {"val": 2, "train": 2})
