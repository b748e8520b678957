"""Another folder of images is told from the data set's own by a few of them."""

from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.instructions.image_samples import COUNT, FIRST, check_images, sample_images

NAMES = [f"shelf/{number}.jpg" for number in range(40)]
DATA = Path("data/shop")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "shelf").mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_bytes(b"photo of " + name.encode())
    return folder


def test_some_are_drawn_by_the_seed(photos: Path) -> None:
    found = sample_images(photos, NAMES, 0)
    assert len(found) == COUNT
    assert found.keys() < {*NAMES}
    assert found == sample_images(photos, NAMES, 0)
    assert found.keys() != sample_images(photos, NAMES, 1).keys()
    assert all(sample.size == len(b"photo of " + name.encode()) for name, sample in found.items())
    check_images(photos, found, DATA)


def test_few_images_and_none(photos: Path) -> None:
    assert list(sample_images(photos, NAMES[:3], 0)) == NAMES[:3]
    assert sample_images(None, NAMES, 0) == sample_images(photos, [], 0) == {}
    assert sample_images(photos / "gone", NAMES, 0) == {}
    check_images(photos / "gone", {}, DATA)  # nothing is known


def test_one_other_image_is_enough(photos: Path) -> None:
    found = sample_images(photos, NAMES, 0)
    name = list(found)[5]
    (photos / name).write_bytes(b"PHOTO of " + name.encode())
    with pytest.raises(InputError) as refused:
        check_images(photos, found, DATA)
    assert str(refused.value) == (
        f"{photos}: holds other images than those of data/shop: {name} has another content than "
        "when it was built; give the folder of the same images, or build the data set again"
    )
    (photos / name).write_bytes(b"resized")
    with pytest.raises(InputError, match=f"{name} has 7 bytes, and had 2[0-9] when it was built;"):
        check_images(photos, found, DATA)


def test_what_comes_late_in_a_large_file_is_not_read(photos: Path) -> None:
    clip = photos / NAMES[0]
    clip.write_bytes(bytes(FIRST) + b"a")
    found = sample_images(photos, NAMES[:1], 0)
    clip.write_bytes(bytes(FIRST) + b"b")
    check_images(photos, found, DATA)
    clip.write_bytes(bytes(FIRST) + b"ab")
    with pytest.raises(InputError, match="1,048,578 bytes, and had 1,048,577"):
        check_images(photos, found, DATA)


def test_some_may_be_missing_but_not_all(photos: Path) -> None:
    found = sample_images(photos, NAMES, 0)
    for name in list(found)[1:]:
        (photos / name).unlink()
    check_images(photos, found, DATA)
    with pytest.raises(InputError, match="shelf: holds none of the images of data/shop, such as"):
        check_images(photos / "shelf", found, DATA)  # one folder too deep
