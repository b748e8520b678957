"""The usable objects of a COCO file, as columns: full COCO has 860,000 of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.box_forms import to_corners
from locvlm.annotations.boxes import clip_boxes
from locvlm.annotations.coco_file import AnnotationEntry, DetectionFile
from locvlm.annotations.coco_ids import match_spellings, refuse_shifted
from locvlm.annotations.coco_images import UsableImages
from locvlm.annotations.columns import ObjectColumns
from locvlm.annotations.drops import note
from locvlm.errors import InputError
from locvlm.io.reading import Id, one_line

SEVERAL = 10  # images; of fewer, ids that would fit with 1 added may be an accident


@dataclass(frozen=True)
class UsableObjects:
    """M objects of a file, in its order."""

    columns: ObjectColumns
    image_index: NDArray[np.int64]  # (M,) the place among the usable images of that of each
    boxless: dict[Id, dict[str, None]]  # image id -> categories of objects that cannot be used


def find_objects(
    path: Path,
    data: DetectionFile,
    names: Mapping[Id, str],
    images: UsableImages,
    by_name: Callable[[], Mapping[str, int | None]],
    *,
    descriptions: Mapping[Id, Sequence[str]] | None,
    form: str | None,
    drops: Counter[str],
) -> UsableObjects:
    """The objects of `data` that have a known image and category, and a box inside.

    Args:
        path: the file, for messages.
        data: what it says.
        names: the categories' names by their ids.
        images: its usable images.
        by_name: gives their places by the names of their files, which some annotations have.
        descriptions: phrases that mean an object, by its id; None: the annotations' own.
        form: of the boxes (see `box_forms`); None: x, y, width, height.
        drops: what is left out or changed; added to.

    Raises:
        InputError: all categories are unknown, or no number is finite.
    """
    annotations = data.annotations
    categories = _find_categories(path, annotations, names, drops)
    image_index = _find_images(path, annotations, images, by_name, drops)
    ids = list(map(attrgetter("id"), annotations))
    known, repeated = image_index >= 0, _find_repeated(ids)
    twice = _find_same(annotations, image_index, repeated & known)
    _count(drops, "annotations with a repeated id", twice, path, annotations)
    other = repeated & known & ~twice
    _count(drops, "annotations with a repeated id, kept as others", other, path, annotations)
    usable = np.flatnonzero(known & ~twice & (categories >= 0))
    sizes = np.array([(item.width, item.height) for item in images.entries]).reshape(-1, 2)
    sizes = sizes[image_index[usable]]
    boxes, inside = clip_boxes(
        to_corners(_numbers(annotations)[usable], sizes, form, "xywh"),
        sizes,
        drops,
        lambda row: f"{path}: annotations[{usable[row]}].bbox (id {ids[usable[row]]!r})",
    )
    kept = usable[inside]
    kept_ids = [ids[place] or 0 for place in kept.tolist()]
    crowds = map(bool, map(attrgetter("iscrowd"), annotations))
    phrases = _own_descriptions(annotations) if descriptions is None else descriptions
    columns = ObjectColumns(
        boxes=boxes[inside],
        categories=categories[kept],
        crowds=np.fromiter(crowds, np.bool_, len(ids))[kept],
        ids=kept_ids,
        names=tuple(dict.fromkeys(names.values())),
        descriptions=_descriptions_of(kept_ids, phrases, other[kept]) if phrases else None,
    )
    without_box = np.concatenate([np.flatnonzero(known & twice), usable[~inside]])
    boxless = _find_boxless(data, names, images, image_index, categories, without_box)
    return UsableObjects(columns, image_index[kept], boxless)


def _find_categories(
    path: Path,
    annotations: Sequence[AnnotationEntry],
    names: Mapping[Id, str],
    drops: Counter[str],
) -> NDArray[np.int32]:
    """(M,): the place of each category among the different `names`; -1 where it has none."""
    place_of = {name: place for place, name in enumerate(dict.fromkeys(names.values()))}
    index = {number: place_of[name] for number, name in names.items()}
    found = _look_up(annotations, "category_id", index)
    if (found < 0).any():
        matched = match_spellings(found, annotations, "category_id", index)
        _count(drops, "category ids written otherwise, matched", matched, path, annotations)
    unknown = found < 0
    if len(found) and unknown.all():
        item = annotations[0]
        raise InputError(
            f"{path}: annotations[0] (id {item.id!r}) has the category "
            f"{item.category_id!r}, which is not among the file's categories"
        )
    if unknown.any():
        refuse_shifted(path, annotations, "category_id", unknown, names)
    _count(drops, "annotations of unknown categories", unknown, path, annotations)
    return found.astype(np.int32)


def _find_images(
    path: Path,
    annotations: Sequence[AnnotationEntry],
    images: UsableImages,
    by_name: Callable[[], Mapping[str, int | None]],
    drops: Counter[str],
) -> NDArray[np.int64]:
    """(M,): the place of the image of each; -1 where it has none."""
    found = _look_up(annotations, "image_id", images.rows)
    if (found < 0).any():
        lost = dict.fromkeys(images.lost, -2)
        places: dict[Any, int | None] = {**by_name(), **images.rows, **lost}
        matched = match_spellings(found, annotations, "image_id", places)
        _count(drops, "image ids written otherwise, matched", matched, path, annotations)
        if (found == -1).any() and len(images.rows) >= SEVERAL:
            ids = {*images.rows, *images.lost}
            refuse_shifted(path, annotations, "image_id", found == -1, ids)
        of_lost = found == -2
        _count(drops, "annotations of images that cannot be used", of_lost, path, annotations)
    _count(drops, "annotations of unknown images", found == -1, path, annotations)
    return found


def _count(
    drops: Counter[str],
    reason: str,
    marks: NDArray[np.bool_],
    path: Path,
    annotations: Sequence[AnnotationEntry],
) -> None:
    """As many in `drops` as are marked, with the first as an example."""
    count = int(marks.sum())
    if count:
        place = int(np.argmax(marks))
        item = annotations[place]
        where = (
            f"{path}: annotations[{place}] (id {item.id!r}, image_id {item.image_id!r}, "
            f"category_id {item.category_id!r})"
        )
        note(drops, reason, where)
        drops[reason] += count - 1


def _find_boxless(
    data: DetectionFile,
    names: Mapping[Id, str],
    images: UsableImages,
    image_index: NDArray[np.int64],
    categories: NDArray[np.int32],
    without_box: NDArray[np.int64],
) -> dict[Id, dict[str, None]]:
    """Image id -> categories that may be there though they have no usable box.

    What a lost annotation was of is not known to be absent. Where annotations name images that the
    file does not have, those may be the images that have no annotation at all.
    """
    own_names = tuple(dict.fromkeys(names.values()))
    boxless: dict[Id, dict[str, None]] = defaultdict(dict)
    for place in without_box.tolist():
        boxless[images.entries[image_index[place]].id][own_names[categories[place]]] = None
    found = np.flatnonzero(image_index < 0)
    adrift = {own_names[number] for number in set(categories[found].tolist()) if number >= 0}
    for place in found.tolist() if images.lost else ():
        first = images.lost.get(data.annotations[place].image_id)
        if first is not None and categories[place] >= 0:
            boxless[first][own_names[categories[place]]] = None
    if (image_index == -1).any():
        seen = set(image_index.tolist())
        for row, item in enumerate(images.entries):
            if row not in seen:
                boxless[item.id] |= dict.fromkeys(name for name in own_names if name in adrift)
    for image, category in data.boxless:
        if image in images.rows and category in names:
            boxless[images.entries[images.rows[image]].id][names[category]] = None
    _add_uncategorized(data, images, image_index, categories, own_names, boxless)
    return boxless


def _add_uncategorized(
    data: DetectionFile,
    images: UsableImages,
    image_index: NDArray[np.int64],
    categories: NDArray[np.int32],
    own_names: Sequence[str],
    boxless: dict[Id, dict[str, None]],
) -> None:
    """An object of an unknown category may be of any that the image has no box of."""
    rows = {images.rows[image] for image in data.uncategorized if image in images.rows}
    rows |= set(image_index[(categories < 0) & (image_index >= 0)].tolist())
    for row in rows:
        seen = {own_names[number] for number in categories[image_index == row] if number >= 0}
        more = (name for name in own_names if name not in seen)
        boxless[images.entries[row].id] |= dict.fromkeys(more)


def _descriptions_of(
    ids: Sequence[Id], phrases: Mapping[Id, Sequence[str]], is_other: NDArray[np.bool_]
) -> list[tuple[str, ...]]:
    """The phrases of each object; none where another has the same id."""
    pairs = zip(ids, is_other.tolist(), strict=True)
    return [() if other else tuple(phrases.get(key, ())) for key, other in pairs]


def _own_descriptions(annotations: Sequence[AnnotationEntry]) -> dict[Id, tuple[str, ...]]:
    """By the annotation's id."""
    found: dict[Id, tuple[str, ...]] = {}
    if not any(map(attrgetter("description"), annotations)):
        return found  # as nearly all files are
    for item in annotations:
        if item.id is not None and item.description:
            texts = [item.description] if isinstance(item.description, str) else item.description
            if isinstance(texts, list):  # whatever else it is, it is not meant for us
                found[item.id] = tuple(one_line(text) for text in texts if isinstance(text, str))
    return found


def _look_up(
    annotations: Sequence[AnnotationEntry], name: str, places: Mapping[Id, int]
) -> NDArray[np.int64]:
    """(M,): the place of what a field of each names; -1 where it has none."""
    found = map(places.get, map(attrgetter(name), annotations), repeat(-1))
    return np.fromiter(found, np.int64, len(annotations))


def _numbers(annotations: Sequence[AnnotationEntry]) -> NDArray[np.float64]:
    """(M, 4) as the file has them."""
    numbers = chain.from_iterable(map(attrgetter("bbox"), annotations))
    return np.fromiter(numbers, np.float64, 4 * len(annotations)).reshape(-1, 4)


def _find_repeated(ids: Sequence[Id | None]) -> NDArray[np.bool_]:
    """(M,): whether an id was there before; None is no id."""
    marks = np.zeros(len(ids), np.bool_)
    if len(set(ids)) < len(ids):
        seen = set[Id | None]()
        for place, number in enumerate(ids):
            marks[place] = number is not None and number in seen
            seen.add(number)
    return marks


def _find_same(
    annotations: Sequence[AnnotationEntry],
    image_index: NDArray[np.int64],
    repeated: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """(M,): which of those with a `repeated` id have the box of one before, in the same image."""
    marks = np.zeros(len(annotations), np.bool_)
    if not repeated.any():
        return marks
    ids = {annotations[place].id for place in np.flatnonzero(repeated).tolist()}
    seen = set[tuple[Any, ...]]()
    for place, item in enumerate(annotations):
        if item.id in ids and image_index[place] >= 0:
            key = (item.id, int(image_index[place]), item.bbox)
            marks[place] = key in seen
            seen.add(key)
    return marks
