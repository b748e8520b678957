"""COCO detection files (``instances_*.json``), with captions (``captions_*.json``) if wanted.

    {"images":      [{"id": 42, "file_name": "42.jpg", "width": 640, "height": 480}],
     "categories":  [{"id": 18, "name": "dog"}],
     "annotations": [{"id": 1, "image_id": 42, "category_id": 18, "bbox": [x, y, width, height]}]}

Boxes are pixels of the pictures as the file declares them. Unknown fields are ignored; a
segmentation is not needed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.columns import ColumnarImages, ObjectColumns
from locvlm.errors import InputError

Id = int | str

_ROUNDING = 0.01  # pixels; COCO's own files have two decimals, so less is no clipping


class _License(msgspec.Struct, gc=False):
    id: Id
    name: str = ""


class _Image(msgspec.Struct, gc=False):
    id: Id
    file_name: str
    width: int
    height: int
    license: Id | None = None
    flickr_url: str | None = None
    coco_url: str | None = None


class _Category(msgspec.Struct, gc=False):
    id: Id
    name: str


class _Annotation(msgspec.Struct, gc=False):
    image_id: Id
    category_id: Id
    bbox: tuple[float, float, float, float]  # x, y, width, height
    id: Id | None = None
    iscrowd: bool | int = 0


class _Detections(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]
    licenses: list[_License] = []


class _Caption(msgspec.Struct, gc=False):
    image_id: Id
    caption: str


class _Captions(msgspec.Struct):
    annotations: list[_Caption]


T = TypeVar("T")
K = TypeVar("K", _Image, _Category)


def read_coco(
    path: str | Path, *, images: str | Path | None = None, captions: str | Path | None = None
) -> AnnotationSet:
    """All pictures of a COCO detection file; those without objects too.

    Left out and counted in ``drops``: annotations of unknown pictures, a second annotation with
    the same id, boxes without area or wholly outside, pictures that are not in the folder
    `images`, captions that cannot be used. Boxes that reach out are clipped, kept and counted.

    Args:
        path: the JSON file.
        images: folder of the pictures; None: do not look whether they are there.
        captions: COCO captions of the same pictures.

    Raises:
        InputError: a file is missing or malformed, an id is there twice, a category is unknown, a
            picture has no size, or the folder holds none of the pictures.
    """
    path = Path(path)
    data = _decode(path, _Detections, "COCO detection file (instances_*.json)")
    names = _names(path, data.categories)
    sizes = {image.id: image for image in _unique(path, "images", data.images)}
    drops: Counter[str] = Counter()
    categories = tuple(dict.fromkeys(names.values()))
    objects, owners = _objects(path, data.annotations, sizes, names, categories, drops)
    said = _captions(Path(captions), sizes, drops) if captions is not None else {}
    licenses = {item.id: item.name for item in data.licenses}
    kept = _present(path, sizes, Path(images), drops) if images is not None else [*sizes.values()]
    bare = [_image(item, said, licenses) for item in kept]
    return AnnotationSet(
        images=_by_picture(bare, objects, owners),
        categories=categories,
        source=path,
        drops=+drops,  # without the zeros
    )


def _image(
    item: _Image, captions: Mapping[Id, list[str]], licenses: Mapping[Id, str]
) -> AnnotatedImage:
    """A picture without its objects."""
    known = item.license is not None
    return AnnotatedImage(
        id=item.id,
        file_name=item.file_name,
        width=item.width,
        height=item.height,
        captions=tuple(captions.get(item.id, ())),
        license=licenses.get(item.license or 0) or str(item.license) if known else "",
        url=item.flickr_url or item.coco_url or "",
    )


def _decode(path: Path, kind: type[T], what: str) -> T:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: not a {what}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        cut = "truncated" in str(error)
        place = f"it ends too early, at byte {len(data)}" if cut else str(error)
        raise InputError(f"{path}: not complete JSON: {place}; get the file again") from None


def _names(path: Path, categories: list[_Category]) -> dict[Id, str]:
    """The category's name by its id."""
    names = {item.id: item.name.strip() for item in _unique(path, "categories", categories)}
    for number, name in names.items():
        if not name:
            raise InputError(f"{path}: category {number} has no name; give it one")
    return names


def _unique(path: Path, field: str, items: list[K]) -> Iterable[K]:
    """The items, checked: no id twice; pictures have a size."""
    seen: set[Id] = set()
    for place, item in enumerate(items):
        if item.id in seen:
            raise InputError(f"{path}: {field}[{place}] repeats the id {item.id!r}; ids are unique")
        if isinstance(item, _Image) and min(item.width, item.height) < 1:
            raise InputError(
                f"{path}: {field}[{place}] (id {item.id!r}) is {item.width} × {item.height} "
                "pixels; give its width and height"
            )
        seen.add(item.id)
    return items


def _objects(
    path: Path,
    annotations: list[_Annotation],
    sizes: Mapping[Id, _Image],
    names: Mapping[Id, str],
    categories: tuple[str, ...],
    drops: Counter[str],
) -> tuple[ObjectColumns, list[Id]]:
    """The usable objects in file order, and the picture that each is in."""
    place_of = {name: place for place, name in enumerate(categories)}
    index = {number: place_of[name] for number, name in names.items()}
    for place, item in enumerate(annotations):
        if item.category_id not in index:
            raise InputError(
                f"{path}: annotations[{place}] (id {item.id!r}) has the category "
                f"{item.category_id!r}, which is not among the file's categories"
            )
    places = _usable(annotations, sizes, drops)
    boxes, inside = _boxes(path, annotations, places, sizes, drops)
    kept = [annotations[place] for place in np.asarray(places)[inside].tolist()]
    objects = ObjectColumns(
        boxes=boxes[inside],
        categories=np.array([index[item.category_id] for item in kept], np.int32),
        crowds=np.array([bool(item.iscrowd) for item in kept], np.bool_),
        ids=[item.id or 0 for item in kept],
        names=categories,
    )
    return objects, [item.image_id for item in kept]


def _usable(
    annotations: list[_Annotation], sizes: Mapping[Id, _Image], drops: Counter[str]
) -> list[int]:
    """Places in `annotations` of those of a known picture, each id once."""
    places, seen = [], set[Id]()
    for place, item in enumerate(annotations):
        if item.image_id not in sizes:
            drops["annotations of unknown images"] += 1
        elif item.id in seen:
            drops["annotations with a repeated id"] += 1
        else:
            places.append(place)
        if item.id is not None:
            seen.add(item.id)
    return places


def _boxes(
    path: Path,
    annotations: list[_Annotation],
    places: list[int],
    sizes: Mapping[Id, _Image],
    drops: Counter[str],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The parts of the boxes inside their pictures (xyxy, original pixels), and where any is."""
    chosen = [annotations[place] for place in places]
    xywh = np.array([item.bbox for item in chosen], np.float64).reshape(-1, 4)
    pictures = [sizes[item.image_id] for item in chosen]
    border = np.array([(item.width, item.height) for item in pictures], np.float64).reshape(-1, 2)
    low, extent = xywh[:, :2], np.maximum(xywh[:, 2:], 0)  # a negative size is no area
    with np.errstate(over="ignore", invalid="ignore"):
        high = low + extent
    corners = np.hstack([low, high])
    for row in np.flatnonzero(~np.isfinite(corners).all(axis=1))[:1].tolist():
        raise InputError(
            f"{path}: annotations[{places[row]}].bbox {chosen[row].bbox}: not finite numbers "
            "of pixels; correct it"
        )
    clipped = np.hstack([np.clip(low, 0, border), np.clip(high, 0, border)])
    empty = np.any(high <= low, axis=1)
    inside = np.all(clipped[:, 2:] > clipped[:, :2], axis=1) & ~empty
    moved = (np.abs(clipped - corners) > _ROUNDING).any(axis=1)
    drops["boxes without area"] += int(empty.sum())
    drops["boxes outside the picture"] += int((~empty & ~inside).sum())
    drops["boxes clipped to the picture"] += int((inside & moved).sum())
    return clipped, inside


def _by_picture(
    bare: list[AnnotatedImage], objects: ObjectColumns, owners: list[Id]
) -> ColumnarImages:
    """The pictures with their objects, those of each in file order."""
    row_of = {image.id: row for row, image in enumerate(bare)}
    rows = np.array([row_of.get(owner, len(bare)) for owner in owners], np.int64)
    order = np.argsort(rows, kind="stable")  # those of pictures that are not there come last
    starts = np.searchsorted(rows[order], np.arange(len(bare) + 1))
    return ColumnarImages(bare, starts, objects.take(order))


def _captions(path: Path, sizes: Mapping[Id, _Image], drops: Counter[str]) -> dict[Id, list[str]]:
    """The captions of each picture, on one line each."""
    captions: dict[Id, list[str]] = defaultdict(list)
    for item in _decode(path, _Captions, "COCO captions file (captions_*.json)").annotations:
        text = " ".join(item.caption.split())
        if item.image_id not in sizes:
            drops["captions of unknown images"] += 1
        elif not text or "{" in text:  # a brace could be taken for a location's place
            drops["captions that are empty or have braces"] += 1
        else:
            captions[item.image_id].append(text)
    return captions


def _present(
    path: Path, sizes: Mapping[Id, _Image], folder: Path, drops: Counter[str]
) -> list[_Image]:
    """The pictures whose files are in the folder."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of pictures; check the path")
    kept = [item for item in sizes.values() if (folder / item.file_name).is_file()]
    if sizes and not kept:
        first = next(iter(sizes.values())).file_name
        raise InputError(
            f"{folder}: has none of the {len(sizes)} pictures of {path} (the first is {first}); "
            "give the folder that the file names are relative to"
        )
    if len(kept) < len(sizes):
        drops["pictures whose file is missing"] += len(sizes) - len(kept)
    return kept
