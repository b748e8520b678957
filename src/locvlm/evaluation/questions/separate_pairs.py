"""Pairs of objects of which the first ends before the second begins, as they were released.

The form is that of release v1.0 of https://github.com/kahnchana/locvlm, coco_spatial.json (from
left to right) and coco_up_down.json (from top to bottom), read in the way of that repository's
code: pictures of COCO 2014 val, objects without another annotation of their category.

    {"categories": [{"id": 18, "name": "dog"}, …],
     "data": {"42": {"file_name": "COCO_val2014_000000000042.jpg", "width": 640, "height": 478,
                     "annotations": [{"bbox": [x, y, w, h], "category_id": 18}, …],
                     "good_pairs": [[0, 1], …]}}}

A box is in original pixels; a pair holds places in `annotations`, which are sorted by where boxes
begin. `find_pairs` makes the same of any detection annotations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import msgspec

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.annotations.drops import Drops
from locvlm.errors import InputError
from locvlm.evaluation.metrics.side_words import WORDS
from locvlm.evaluation.questions.texts import clean_text
from locvlm.geometry import Box, Size
from locvlm.io.reading import decode_json
from locvlm.media.image_files import check_size, safe_name

WHAT = "a file of COCO-Spatial as released"
LISTED_NONE = "pictures without good_pairs"
ANY = "any"  # axis
_ENDS = {"left-right": "left of", "above-below": "above"}


@dataclass(frozen=True, slots=True)
class PairedImage:
    """A picture with its pairs on one axis."""

    id: str
    file_name: str  # relative to the folder of the pictures
    size: Size  # (width, height), original pixels
    objects: tuple[Object, ...]
    pairs: tuple[tuple[int, int], ...]  # places in `objects`: left or upper one, right or lower one


class _Category(msgspec.Struct):
    id: int
    name: str


class _Annotation(msgspec.Struct):
    bbox: tuple[float, float, float, float]  # x, y, width, height
    category_id: int


class _Image(msgspec.Struct):
    file_name: str
    width: int
    height: int
    annotations: list[_Annotation]
    good_pairs: list[tuple[int, int]] | None = None


class _File(msgspec.Struct):
    categories: list[_Category]
    data: dict[str, msgspec.Raw]


def read_pairs(path: Path, axis: str, skipped: Drops) -> tuple[str, list[PairedImage]]:
    """The axis of a released file, and its pictures.

    Args:
        path: the file, ``.json`` or ``.json.gz``.
        axis: which it is of; `ANY`: told by its boxes.
        skipped: reason -> pictures without pairs; added to.

    Raises:
        InputError: the file cannot be read or lacks a key; a category or place is unknown; the
            objects of a pair do not lie as the rule says.
    """
    file = decode_json(path, _File, WHAT)
    names = {c.id: clean_text(c.name, f"{path}: category {c.id}") for c in file.categories}
    images = []
    for key, raw in file.data.items():
        image = _read_image(key, raw, names, f"{path}: data[{key}]")
        if image is None:
            skipped.note(LISTED_NONE, f"{path}: data[{key}]")
        else:
            images.append(image)
    return _tell_axis(path, images, axis), images


def find_pairs(image: AnnotatedImage, axis: str) -> PairedImage:
    """The pairs of an annotated picture by the released rule.

    As there, a crowd is an object like any other. A category that may have more instances than
    boxes is left out.
    """
    counts = Counter(item.category for item in image.objects)
    unique = [
        item
        for item in image.objects
        if counts[item.category] == 1 and item.category not in image.not_exhaustive
    ]
    objects = tuple(sorted(unique, key=lambda item: _begin(item, axis)))
    pairs = tuple(
        (i, j)
        for i, j in combinations(range(len(objects)), 2)
        if _is_separate(objects[i], objects[j], axis)
    )
    size = (image.width, image.height)
    return PairedImage(str(image.id), image.file_name, size, objects, pairs)


def released_form(images: Iterable[PairedImage], categories: Sequence[str]) -> dict[str, Any]:
    """What a released file holds, of pictures with pairs; ids of categories count from 1."""
    ids = {name: number for number, name in enumerate(categories, 1)}
    return {
        "categories": [{"id": number, "name": name} for name, number in ids.items()],
        "data": {
            image.id: {
                "file_name": image.file_name,
                "width": image.size[0],
                "height": image.size[1],
                "annotations": [
                    {
                        "bbox": [box.x1, box.y1, box.width, box.height],
                        "category_id": ids[item.category],
                    }
                    for item in image.objects
                    for box in (item.box,)
                ],
                "good_pairs": image.pairs,
            }
            for image in images
            if image.pairs
        },
    }


def _read_image(
    key: str, raw: msgspec.Raw, names: dict[int, str], where: str
) -> PairedImage | None:
    """None where no pairs are listed."""
    try:
        image = msgspec.json.decode(raw, type=_Image)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: not {WHAT}: {error}") from None
    size = check_size(image.width, image.height, where)
    objects = []
    for place, annotation in enumerate(image.annotations):
        if annotation.category_id not in names:
            raise InputError(
                f"{where}.annotations[{place}]: category_id {annotation.category_id} is in no "
                "category of the file; get the file again"
            )
        try:
            box = Box.from_xywh(*annotation.bbox)
        except ValueError as error:
            raise InputError(f"{where}.annotations[{place}]: {error}") from None
        objects.append(Object(names[annotation.category_id], box))
    for place, pair in enumerate(image.good_pairs or ()):
        if not all(0 <= index < len(objects) for index in pair):
            raise InputError(
                f"{where}.good_pairs[{place}]: {list(pair)} are no places in its "
                f"{len(objects)} annotations, counted from 0; get the file again"
            )
    if image.good_pairs is None:
        return None
    name = safe_name(image.file_name, f"{where}.file_name")
    return PairedImage(key, name, size, tuple(objects), tuple(image.good_pairs))


def _tell_axis(path: Path, images: Sequence[PairedImage], axis: str) -> str:
    """The axis on which all pairs lie apart; of both that by which the objects are sorted."""
    wrong = {name: next(_wrong_pairs(images, name), None) for name in WORDS}
    fitting = [name for name in WORDS if wrong[name] is None and axis in (ANY, name)]
    if not fitting:
        likely = max(WORDS, key=lambda name: _count_sorted(images, name))
        which = likely if axis == ANY else axis
        raise InputError(
            f"{path}: data{wrong[which]} does not end {_ENDS[which]} the second; these are no "
            f"pairs of {which}"
        )
    return max(fitting, key=lambda name: _count_sorted(images, name))


def _count_sorted(images: Iterable[PairedImage], axis: str) -> int:
    return sum(
        all(_begin(a, axis) <= _begin(b, axis) for a, b in pairwise(image.objects))
        for image in images
    )


def _wrong_pairs(images: Iterable[PairedImage], axis: str) -> Iterator[str]:
    """Where a pair stands, and its first object, if that does not end before the second begins."""
    for image in images:
        for place, (i, j) in enumerate(image.pairs):
            first, second = image.objects[i], image.objects[j]
            if not _is_separate(first, second, axis):
                yield f"[{image.id}].good_pairs[{place}]: {first.category}, the first of {[i, j]},"


def _is_separate(first: Object, second: Object, axis: str) -> bool:
    end = first.box.x2 if axis == "left-right" else first.box.y2
    return end < _begin(second, axis)


def _begin(item: Object, axis: str) -> float:
    return item.box.x1 if axis == "left-right" else item.box.y1
