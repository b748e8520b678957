"""Pictures that cannot be used are found as a data set is built, where that is asked for."""

import json
from pathlib import Path

import pytest
from PIL import Image

from locvlm.cli import main
from locvlm.errors import InputError
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.dataset import read_dataset
from tests.media.bad_images import BAD_IMAGES, encode

HEADERS = {"empty", "zeros", "web page", "svg", "git lfs", "eps", "pdf", "text", "header alone"}
HEADERS |= {"wide bomb", "pixel bomb"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A COCO file of one good picture, one of each bad kind, and one of another size."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "good.jpg").write_bytes(encode("JPEG"))
    for kind, (make, _) in BAD_IMAGES.items():
        make(tmp_path / "images" / f"{kind}.jpg")
    Image.new("RGB", (10, 10)).save(tmp_path / "images" / "other size.jpg")
    names = ["good", *BAD_IMAGES, "other size"]
    images = [
        {"id": n, "file_name": f"{name}.jpg", "width": 64, "height": 48}
        for n, name in enumerate(names)
    ]
    boxes = [
        {"id": n, "image_id": n, "category_id": 1, "bbox": [1 + n, 2, 20, 30], "iscrowd": 0}
        for n in range(len(names))
    ]
    kinds = [{"id": 1, "name": "dog"}]
    coco = {"images": images, "annotations": boxes, "categories": kinds}
    (tmp_path / "coco.json").write_text(json.dumps(coco))
    return tmp_path


@pytest.mark.parametrize("workers", [1, 2])
def test_pixels(folder: Path, workers: int) -> None:
    options = BuildOptions(check="pixels", workers=workers)
    manifest = build_from_files(folder / "coco.json", folder / "images", folder / "out", options)
    assert [item.image for item in read_dataset(folder / "out")] == ["good.jpg"]
    gone = {"folder.jpg", "dangling link.jpg"}  # are no files: the reader leaves them out
    bad = {f"{kind}.jpg" for kind in BAD_IMAGES} - gone
    assert set(manifest.unusable_images) == bad | {"other size.jpg"}
    assert manifest.drops["pictures that cannot be read, or of another size"] == len(bad) + 1
    for kind, (_, words) in BAD_IMAGES.items():
        assert f"{kind}.jpg" in gone or words in manifest.unusable_images[f"{kind}.jpg"]


def test_headers(folder: Path) -> None:
    options = BuildOptions(check="headers")
    manifest = build_from_files(folder / "coco.json", folder / "images", folder / "out", options)
    found = set(manifest.unusable_images)
    assert {f"{kind}.jpg" for kind in HEADERS} | {"other size.jpg"} <= found
    assert "cut jpeg.jpg" not in found  # a header does not say


def test_the_boxes_of_those_that_are_left_are_their_own(folder: Path) -> None:
    for check in (None, "headers", "pixels"):
        build_from_files(
            folder / "coco.json", folder / "images", folder / "out", BuildOptions(check=check)
        )
        rows = {item.image: item for item in read_dataset(folder / "out")}
        assert rows["good.jpg"].instructions[0].locations[0].x1 == 1  # type: ignore[union-attr]


def test_the_command_lists_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--annotations", f"{folder}/coco.json", "--images", f"{folder}/images"]
    assert main(["build", *where, "--out", f"{folder}/out", "--check", "pixels"]) == 0
    said = capsys.readouterr()
    assert "1 pictures" in said.out
    assert "cut jpeg.jpg: not a readable picture" in said.err


def test_none_is_left(folder: Path) -> None:
    (folder / "images" / "good.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"good\.jpg: .*; nor can any of the other pictures"):
        build_from_files(
            folder / "coco.json", folder / "images", folder / "out", BuildOptions(check="pixels")
        )


def test_without_images_there_is_nothing_to_check(folder: Path) -> None:
    with pytest.raises(InputError, match="give --images alone"):
        build_from_files(
            folder / "coco.json",
            None,
            folder / "out",
            BuildOptions(check="headers", find_images=False),
        )
