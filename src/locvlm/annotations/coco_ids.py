"""Ids of a COCO file that are written in two ways, as 1 and "1", or counted from 0 and from 1."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.coco_file import AnnotationEntry
from locvlm.errors import InputError
from locvlm.io.reading import Id


def match_spellings(
    found: NDArray[np.int64],
    annotations: Sequence[AnnotationEntry],
    field: str,
    places: Mapping[Any, int | None],
) -> NDArray[np.bool_]:
    """Fills in the places of ids that are written otherwise, as "1" or "01" for 1.

    Args:
        found: (M,) the place of each; -1 where its id is not just so among `places`. Changed.
        annotations: M of them.
        field: which of their fields is the id.
        places: by the id; None: of several.

    Returns:
        (M,) which were matched so. Two ids that are written alike match nothing.
    """
    spelled: dict[str, int | None] = {}
    for key, place in places.items():
        word = _spell(key)
        spelled[word] = place if spelled.get(word, place) == place else None
    matched = np.zeros(len(found), np.bool_)
    for row in np.flatnonzero(found == -1).tolist():
        key = getattr(annotations[row], field)
        same = places.get(key)
        place = same if same is not None else spelled.get(_spell(key))
        if place is not None:
            found[row], matched[row] = place, place >= 0
    return matched


def refuse_shifted(
    path: Path,
    annotations: Sequence[AnnotationEntry],
    field: str,
    unknown: NDArray[np.bool_],
    known: Collection[Any],
) -> None:
    """Raises InputError where all ids would be `known` if they counted from 0, or from 1.

    Then those that are known by chance would be taken for the one beside theirs.
    """
    ids = {getattr(item, field) for item in annotations}
    numbers = {number for number in ids if isinstance(number, int)}
    for step in (-1, 1):
        if len(numbers) == len(ids) and all(number + step in known for number in numbers):
            number = getattr(annotations[int(np.argmax(unknown))], field)
            raise InputError(
                f"{path}: annotations have {field} {min(numbers)} to {max(numbers)}; {number} is "
                f"not in the file, and all are if {step:+d} is added: number both alike, or leave "
                f"those of {number} out"
            )


def _spell(key: Id) -> str:
    """Numbers without zeros before or behind them."""
    text = str(key).strip()
    whole = text.removesuffix(".0")
    return whole.lstrip("0") or "0" if whole.isascii() and whole.isdigit() else text
