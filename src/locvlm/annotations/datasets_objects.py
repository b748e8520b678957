"""The objects of a row of Hugging Face ``datasets``: boxes and categories in their usual shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from locvlm.annotations.datasets_rows import BOXES, CATEGORIES
from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.io.reading import name_of, quote
from locvlm.media.image_files import LARGEST

EDGES = (("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"))
SIDES = (("x", "y", "width", "height"), ("x", "y", "w", "h"))
_SLACK = 0.02  # share of a side; so much may a box reach out by careless drawing
_NEARLY_ALL = 0.99

Coords = tuple[float, float, float, float]


def pairs_of(objects: Any, where: str) -> list[tuple[Any, Any]]:
    """Box and category of each object, from a dict of lists or a list of dicts.

    Raises:
        InputError: `objects` are neither, or not one box for each category.
    """
    if objects is None:
        return []
    if isinstance(objects, list) and all(isinstance(item, dict) for item in objects):
        return [(_value(item, BOXES), _value(item, CATEGORIES)) for item in objects]
    if isinstance(objects, dict):
        boxes, categories = _value(objects, BOXES) or [], _value(objects, CATEGORIES) or []
        if isinstance(boxes, list) and isinstance(categories, list):
            if len(boxes) != len(categories):
                keys = ", ".join(objects)
                raise InputError(
                    f"{where}: {len(boxes)} boxes and {len(categories)} categories; give one each "
                    f"(objects have: {quote(keys)})"
                )
            return list(zip(boxes, categories, strict=True))
    raise InputError(f"{where}: objects are not bbox and category of each")


def coords_of(bbox: Any, where: str) -> tuple[Coords, bool]:
    """The four numbers of a box, and whether their names say that they are corners.

    Raises:
        InputError: they are not four numbers.
    """
    numbers, corners = bbox, False
    if isinstance(bbox, dict):
        keys = next((keys for keys in (*EDGES, *SIDES) if all(key in bbox for key in keys)), ())
        numbers, corners = [bbox[key] for key in keys], keys in EDGES
    if not isinstance(numbers, list) or len(numbers) != 4 or not all(map(_is_number, numbers)):
        raise InputError(f"{where}: bbox {quote(bbox)} is not 4 numbers")
    if any(abs(number) > LARGEST for number in numbers if isinstance(number, int)):
        raise InputError(f"{where}: bbox {quote(bbox)} is beyond all pictures")
    x, y, u, v = numbers
    return (x, y, u, v), corners


def prove_corners(boxes: Sequence[Coords], sizes: Sequence[Size]) -> bool:
    """Whether x, y, u, v of a whole data set can only be two corners, not corner and size.

    As sizes some reach far out of their pictures; as corners they all fit.

    Args:
        boxes: the numbers of each box, pixels.
        sizes: width and height of the picture of each.
    """
    if not boxes:
        return False
    numbers = np.array(boxes, np.float64)
    border = np.array(sizes, np.float64) * (1 + _SLACK) + 1
    first, second = numbers[:, :2], numbers[:, 2:]
    fit = np.all((second > first) & (second <= border), axis=1)
    far = np.any(first + second > border, axis=1) & np.all(second > 0, axis=1)
    if fit.all():
        return bool(far.any())
    return bool(fit.mean() >= _NEARLY_ALL and far.mean() >= 1 - _NEARLY_ALL)


def category_of(value: Any, names: Sequence[str], numbered: bool, where: str) -> str:
    """The name of a category; empty for a missing one, which ClassLabel writes as -1.

    Args:
        value: a name, or its place in `names`.
        names: of the numbered categories.
        numbered: whether ``category 3`` is to be the name of 3 where there are no `names`.
        where: file and place, for the message.

    Raises:
        InputError: it is none of them.
    """
    if value is None or value == -1:
        return ""
    if isinstance(value, str):
        return name_of(value, where)
    if numbered and not names and isinstance(value, int) and value >= 0:
        return f"category {value}"
    if not isinstance(value, int) or not 0 <= value < len(names):
        raise InputError(
            f"{where}: the category {quote(value)} is neither a name nor one of the "
            f"{len(names)} of the table's ClassLabel; write the names, one a line, into "
            "classes.txt beside the table"
        )
    return names[value]


def _value(item: dict[str, Any], keys: Sequence[str]) -> Any:
    """What stands under the first of the keys that is there, a name before its number."""
    found = [item[key] for key in keys if item.get(key) is not None]
    named = (value for value in found if isinstance(value, str) or _all_text(value))
    return next(named, found[0] if found else None)


def _all_text(value: Any) -> bool:
    return bool(value) and isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
