from pathlib import Path

import pytest
from PIL import Image

from locvlm.errors import InputError
from locvlm.interchange.image_sizes import ImageSizes


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name, size in {"a.png": (40, 30), "b.png": (40, 30), "c.png": (10, 20)}.items():
        Image.new("RGB", size).save(folder / name)
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (40, 30)).save(folder / "turned.jpg", exif=exif)
    return folder


def test_no_picture_no_size() -> None:
    assert ImageSizes().of({}) is None


def test_columns_are_trusted_by_default(images: Path) -> None:
    record = {"image": "images/a.png", "width": 8, "height": 9}
    assert ImageSizes(file=images.parent / "data.json").of(record) == (8, 9)
    assert ImageSizes(images).of(record | {"image": "a.png"}) == (40, 30)
    assert ImageSizes(images, ("width", "height")).of(record) == (8, 9)


def test_pictures_lie_beside_the_file(images: Path) -> None:
    assert ImageSizes(file=images.parent / "data.json").of({"image": "images/a.png"}) == (40, 30)


def test_named_columns_that_are_missing_give_way_to_the_file(images: Path) -> None:
    assert ImageSizes(images, ("w", "h")).of({"image": "a.png"}) == (40, 30)


def test_a_turned_photo_is_as_displayed(images: Path) -> None:
    assert ImageSizes(images).of({"image": "turned.jpg"}) == (30, 40)


def test_several_pictures(images: Path) -> None:
    sizes = ImageSizes(images)
    assert sizes.of({"images": ["a.png", "b.png"]}) == (40, 30)
    assert sizes.of({"images": ["a.png", "c.png"]}) is None
    assert sizes.of({"images": ["a.png", "missing.png"]}) is None


@pytest.mark.parametrize("name", ["missing.png", "https://example.org/a.png", ""])
def test_what_is_no_file_has_no_size(images: Path, name: str) -> None:
    assert ImageSizes(images).of({"image": name}) is None


def test_a_damaged_picture_is_an_error(images: Path) -> None:
    (images / "a.png").write_text("no picture")
    with pytest.raises(InputError, match=r"a\.png: not a readable picture"):
        ImageSizes(images).of({"image": "a.png"})
