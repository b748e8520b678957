"""What tools call the columns of a table of boxes, with an object a row."""

from __future__ import annotations

from collections.abc import Iterable

NEEDED = ("image", "category", "x1", "y1", "x2", "y2")
_WORDS = {
    "image": ("image", "filename", "file_name", "image_path", "img_path", "path", "image_name"),
    "width": ("width", "image_width", "img_width"),
    "height": ("height", "image_height", "img_height"),
    "category": ("category", "class", "label", "class_name", "category_name", "label_name"),
    "x1": ("x1", "xmin", "x_min"),
    "y1": ("y1", "ymin", "y_min"),
    "x2": ("x2", "xmax", "x_max"),
    "y2": ("y2", "ymax", "y_max"),
    "crowd": ("crowd",),
    "description": ("description",),
}


def find_columns(names: Iterable[str]) -> dict[str, str]:
    """Our word for each of the columns that have one, and the column's own name.

    >>> find_columns(["filename", "class", "xmin"])
    {'image': 'filename', 'category': 'class', 'x1': 'xmin'}
    """
    plain = {name.strip().lower(): name for name in reversed(list(names))}
    return {
        ours: plain[word]
        for ours, words in _WORDS.items()
        for word in reversed(words)
        if word in plain
    }


def is_table(names: Iterable[str]) -> bool:
    """Whether columns of these names hold boxes."""
    return set(NEEDED) <= find_columns(names).keys()
