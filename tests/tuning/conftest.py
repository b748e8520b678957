"""A small data set of real photos, as people keep them: a YOLO folder with train and val."""

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.annotations.coco import read_coco
from locvlm.demo.run import IMAGES, SAMPLE

PHOTOS = {"train": 6, "val": 4}
SIDE = 160  # pixels, at most


def write_yolo(folder: Path, *, one_class: bool = False, photos: dict[str, int] = PHOTOS) -> Path:
    """Writes the first sample photos of each split; returns the data set's ``data.yaml``.

    Args:
        folder: to be made.
        one_class: of each photo only the category of its largest object is kept, as in a data set
            of defects or of products.
        photos: of each split.
    """
    sets = {split: read_coco(SAMPLE / f"{split}.json", images=IMAGES) for split in photos}
    kept: dict[str, list[tuple[AnnotatedImage, list[Object]]]] = {
        split: [(image, _keep(image, one_class)) for image in sets[split].images[:count]]
        for split, count in photos.items()
    }
    names = sorted({item.category for of in kept.values() for _, items in of for item in items})
    for split, of in kept.items():
        images, labels = folder / "images" / split, folder / "labels" / split
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for image, items in of:
            with Image.open(IMAGES / image.file_name) as photo:
                photo.thumbnail((SIDE, SIDE))
                photo.save(images / image.file_name)
            lines = [_line(image, item, names) for item in items]
            (labels / image.file_name).with_suffix(".txt").write_text("".join(lines))
    text = "".join(f"  {number}: {name}\n" for number, name in enumerate(names))
    path = folder / "data.yaml"
    path.write_text(f"path: .\ntrain: images/train\nval: images/val\nnames:\n{text}")
    return path


def digests(folder: Path) -> dict[str, str]:
    """Of each file, by its path from the folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _keep(image: AnnotatedImage, one_class: bool) -> list[Object]:
    items = [item for item in image.objects if not item.crowd]
    if not one_class:
        return items
    largest = max(items, key=lambda item: item.box.area)
    return [item for item in items if item.category == largest.category]


def _line(image: AnnotatedImage, item: Object, names: list[str]) -> str:
    """Class, then center x, center y, width and height as shares of the photo."""
    box, width, height = item.box, image.width, image.height
    x, y = (box.x1 + box.x2) / 2 / width, (box.y1 + box.y2) / 2 / height
    w, h = (box.x2 - box.x1) / width, (box.y2 - box.y1) / height
    return f"{names.index(item.category)} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n"


@pytest.fixture(
    params=[
        # `test_single_commands.py` goes this way on each run, and the other when there is time
        pytest.param(False, id="many classes", marks=pytest.mark.slow),
        pytest.param(True, id="one class per photo"),
    ]
)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """``data.yaml`` of a small data set."""
    return write_yolo(tmp_path / "shop", one_class=request.param)
