"""The usable objects of a COCO file, as columns: full COCO has 860,000 of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from operator import attrgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.boxes import clip_boxes
from locvlm.annotations.coco_file import AnnotationEntry, DetectionFile
from locvlm.annotations.columns import ObjectColumns
from locvlm.errors import InputError
from locvlm.io.reading import Id, one_line


@dataclass(frozen=True)
class UsableObjects:
    """M objects of a file, in its order."""

    columns: ObjectColumns
    image_index: NDArray[np.int64]  # (M,) the place in the file's `images` of the image of each
    boxless: dict[Id, dict[str, None]]  # image id -> categories of objects that cannot be used


def find_objects(
    path: Path,
    data: DetectionFile,
    names: Mapping[Id, str],
    descriptions: Mapping[Id, Sequence[str]] | None,
    drops: Counter[str],
) -> UsableObjects:
    """The objects of `data` that have a known image, an id of their own and a box inside.

    Args:
        path: the file, for messages.
        data: what it says.
        names: the categories' names by their ids.
        descriptions: phrases that mean an object, by its id; None: the annotations' own.
        drops: what is left out or clipped; added to.

    Raises:
        InputError: a category is unknown, or a number is not finite.
    """
    categories = _find_categories(path, data.annotations, names)
    row_of = {image.id: row for row, image in enumerate(data.images)}
    image_index = _look_up(data.annotations, "image_id", row_of)
    ids = list(map(attrgetter("id"), data.annotations))
    known, repeated = image_index >= 0, _find_repeated(ids)
    drops["annotations of unknown images"] += int((~known).sum())
    drops["annotations with a repeated id"] += int((known & repeated).sum())
    usable = np.flatnonzero(known & ~repeated)
    sizes = np.array([(image.width, image.height) for image in data.images]).reshape(-1, 2)
    boxes, inside = clip_boxes(
        _corners(data.annotations)[usable],
        sizes[image_index[usable]],
        drops,
        lambda row: f"{path}: annotations[{usable[row]}].bbox as x1, y1, x2, y2",
    )
    boxless: dict[Id, dict[str, None]] = defaultdict(dict)
    for place in chain(np.flatnonzero(known & repeated).tolist(), usable[~inside].tolist()):
        item = data.annotations[place]
        boxless[item.image_id][names[item.category_id]] = None
    kept = usable[inside]
    kept_ids = [ids[place] or 0 for place in kept.tolist()]
    crowds = map(bool, map(attrgetter("iscrowd"), data.annotations))
    phrases = _own_descriptions(data.annotations) if descriptions is None else descriptions
    columns = ObjectColumns(
        boxes=boxes[inside],
        categories=categories[kept],
        crowds=np.fromiter(crowds, np.bool_, len(ids))[kept],
        ids=kept_ids,
        names=tuple(dict.fromkeys(names.values())),
        descriptions=[tuple(phrases.get(key, ())) for key in kept_ids] if phrases else None,
    )
    return UsableObjects(columns, image_index[kept], boxless)


def _find_categories(
    path: Path, annotations: Sequence[AnnotationEntry], names: Mapping[Id, str]
) -> NDArray[np.int32]:
    """(M,): the place of each category among the different `names`."""
    place_of = {name: place for place, name in enumerate(dict.fromkeys(names.values()))}
    index = {number: place_of[name] for number, name in names.items()}
    found = _look_up(annotations, "category_id", index)
    for place in np.flatnonzero(found < 0)[:1].tolist():
        item = annotations[place]
        raise InputError(
            f"{path}: annotations[{place}] (id {item.id!r}) has the category "
            f"{item.category_id!r}, which is not among the file's categories"
        )
    return found.astype(np.int32)


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


def _corners(annotations: Sequence[AnnotationEntry]) -> NDArray[np.float64]:
    """(M, 4) xyxy, pixels."""
    numbers = chain.from_iterable(map(attrgetter("bbox"), annotations))
    xywh = np.fromiter(numbers, np.float64, 4 * len(annotations)).reshape(-1, 4)
    with np.errstate(over="ignore"):  # what is no number is told later
        return np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]])


def _find_repeated(ids: Sequence[Id | None]) -> NDArray[np.bool_]:
    """(M,): whether an id was there before; None is no id."""
    marks = np.zeros(len(ids), np.bool_)
    if len(set(ids)) < len(ids):
        seen = set[Id | None]()
        for place, number in enumerate(ids):
            marks[place] = number is not None and number in seen
            seen.add(number)
    return marks
