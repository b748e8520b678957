"""Visual Genome (arXiv 1602.07332): objects by name, and regions by a phrase.

    objects.json              [{"image_id": 1, "objects": [{"object_id": 5, "x": 0, "y": 9, "w": 20,
                                                            "h": 30, "names": ["dog"]}]}]
    region_descriptions.json  [{"id": 1, "regions": [{"region_id": 8, "x": 0, "y": 9, "width": 20,
                                                      "height": 30, "phrase": "a dog runs"}]}]
    image_data.json           [{"image_id": 1, "width": 800, "height": 600,
                                "url": "…/VG_100K/1.jpg"}]

Boxes are pixels of the pictures as image_data.json declares them. The vocabulary is open: people
wrote what they saw and nobody looked for the rest, so nothing is ever absent, and no category is
known to have no more instances than boxes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import msgspec

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.annotations.box_forms import corners_of
from locvlm.annotations.boxes import clip_box
from locvlm.annotations.drops import Drops
from locvlm.annotations.form_names import BoxForm
from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.io.reading import Id, decode_json, is_file, is_folder, one_line, sayable
from locvlm.media.image_files import check_size, find_images, header_or_none, safe_name

FILES = ("objects.json", "region_descriptions.json")
SIZES = "image_data.json"


class _Object(msgspec.Struct, gc=False):
    x: float
    y: float
    w: float
    h: float
    names: list[str]
    object_id: Id = 0


class _Region(msgspec.Struct, gc=False):
    x: float
    y: float
    width: float
    height: float
    phrase: str
    region_id: Id = 0


class _ImageEntry(msgspec.Struct, kw_only=True):
    image_id: Id | None = None
    id: Id | None = None  # its name in region_descriptions.json and in older files

    @property
    def key(self) -> Id:
        return self.image_id if self.image_id is not None else self.id or 0


class _Objects(_ImageEntry, kw_only=True):
    objects: list[_Object]


class _Regions(_ImageEntry, kw_only=True):
    regions: list[_Region]


class _Size(_ImageEntry, kw_only=True):
    width: int
    height: int
    url: str = ""


class _Found(NamedTuple):
    """An object before its picture's size is known."""

    category: str
    box: tuple[float, float, float, float]  # as the file has it
    id: Id
    descriptions: tuple[str, ...]
    where: str


def read_visualgenome(
    path: str | Path, *, images: str | Path | None = None, boxes: BoxForm | None = None
) -> AnnotationSet:
    """All pictures of Visual Genome's objects and regions.

    A region becomes an object with its phrase as description; it has no category of its own, so
    the phrase is that too, but only the names of objects are the set's categories.

    Left out and counted in ``drops``: pictures that image_data.json does not have, that are not in
    the folder `images` or cannot be read; boxes without area or wholly outside; objects and regions
    without a usable name. Boxes that reach out are clipped, kept and counted.

    Args:
        path: folder with objects.json, region_descriptions.json or both, or one of these files;
            image_data.json beside them tells the sizes.
        images: folder of the pictures, with or without ``VG_100K`` and ``VG_100K_2``; None: do not
            look whether they are there. Needed where image_data.json is missing.
        boxes: how the four numbers are written; None: x, y, width, height in pixels.

    Raises:
        InputError: a file is missing or malformed, there are no sizes, or the folder holds none of
            the pictures.
    """
    path = Path(path)
    files = _files(path)
    drops = Drops()
    found: dict[Id, list[_Found]] = defaultdict(list)
    categories: dict[str, None] = {}
    for file in files:
        if file.name.startswith("region"):
            _read_regions(file, found, drops)
        else:
            _read_objects(file, found, categories, drops)
    declared = _read_sizes(files[0].parent / SIZES)
    if declared is None and images is None:
        raise InputError(
            f"{path}: {SIZES} is not beside it, so the sizes of the pictures are unknown; get it, "
            "or give the folder of the pictures"
        )
    choices = {
        key: _file_names(files[0], key, declared)
        for key in found
        if declared is None or key in declared
    }
    drops["pictures without a size in image_data.json"] += len(found) - len(choices)
    folder = Path(images) if images is not None else None
    annotated = []
    for key, name in find_images(choices, folder, path, drops).items():
        size = _size_of(key, name, declared, folder, drops)
        if size:
            objects = tuple(_objects(found[key], size, boxes, drops))
            url = declared[key].url if declared is not None else ""
            more = tuple(dict.fromkeys(item.category for item in objects))
            annotated.append(
                AnnotatedImage(key, name, *size, objects, url=url, absent=(), not_exhaustive=more)
            )
    return AnnotationSet(tuple(annotated), tuple(categories), path, +drops)


def _files(path: Path) -> list[Path]:
    if not is_folder(path):
        return [path]
    files = [path / name for name in FILES if is_file(path / name)]
    if not files:
        raise InputError(f"{path}: has neither {' nor '.join(FILES)}; give the folder with them")
    return files


def _read_objects(
    file: Path, found: dict[Id, list[_Found]], categories: dict[str, None], drops: Counter[str]
) -> None:
    for place, image in enumerate(
        decode_json(file, list[_Objects], "a list of objects by picture")
    ):
        items = found[image.key]
        for number, item in enumerate(image.objects):
            name = one_line(item.names[0]) if item.names else ""
            if not sayable(name):
                drops["objects whose name is empty or has braces"] += 1
                continue
            categories[name] = None
            box = (item.x, item.y, item.w, item.h)
            where = f"{file}: [{place}].objects[{number}]"
            items.append(_Found(name, box, item.object_id, (), where))


def _read_regions(file: Path, found: dict[Id, list[_Found]], drops: Counter[str]) -> None:
    for place, image in enumerate(
        decode_json(file, list[_Regions], "a list of regions by picture")
    ):
        items = found[image.key]
        for number, item in enumerate(image.regions):
            phrase = one_line(item.phrase)
            if not sayable(phrase):
                drops["regions whose phrase is empty or has braces"] += 1
                continue
            box = (item.x, item.y, item.width, item.height)
            where = f"{file}: [{place}].regions[{number}]"
            items.append(_Found(phrase, box, item.region_id, (phrase,), where))


def _read_sizes(file: Path) -> dict[Id, _Size] | None:
    """Size and address of the pictures; None where the file is not there."""
    if not is_file(file):
        return None
    sizes = {}
    for place, item in enumerate(decode_json(file, list[_Size], "a list of sizes by picture")):
        check_size(item.width, item.height, f"{file}: [{place}]")
        sizes[item.key] = item
    return sizes


def _file_names(file: Path, key: Id, declared: dict[Id, _Size] | None) -> tuple[str, ...]:
    url = declared[key].url if declared is not None else ""
    parts = PurePosixPath(url).parts[-2:]
    known = ("/".join(parts), parts[-1]) if len(parts) == 2 else ()
    names = (*known, f"VG_100K/{key}.jpg", f"VG_100K_2/{key}.jpg", f"{key}.jpg")
    return tuple(safe_name(name, f"{file}: picture {key!r}") for name in names)


def _size_of(
    key: Id,
    name: str,
    declared: dict[Id, _Size] | None,
    folder: Path | None,
    drops: Counter[str],
) -> Size | None:
    if declared is not None:
        return declared[key].width, declared[key].height
    seen = header_or_none(folder / name, drops) if folder else None
    return seen.displayed if seen else None


def _objects(
    found: list[_Found], size: Size, form: str | None, drops: Counter[str]
) -> list[Object]:
    edges = (corners_of(item.box, size, form, "xywh") for item in found)
    boxes = (
        (item, clip_box(box, size, drops, item.where))
        for item, box in zip(found, edges, strict=True)
    )
    return [
        Object(item.category, box, id=item.id, descriptions=item.descriptions)
        for item, box in boxes
        if box
    ]
