"""Lists of class names beside annotations that only number their classes.

obj.names, coco.names      darknet: one name a line, the first is class 0
classes.txt, labels.txt    LabelImg, Label Studio, Roboflow: likewise
notes.json                 of Label Studio: {"categories": [{"id": 0, "name": "dog"}]}
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from locvlm.errors import InputError
from locvlm.io.reading import decode_json, is_file, list_entries, name_of, text_lines

PATTERNS = ("classes.txt", "*.names", "predefined_classes.txt", "labels.txt", "_darknet.labels")


class _Category(msgspec.Struct):
    id: int
    name: str


class _Notes(msgspec.Struct):
    categories: list[_Category]


def read_class_list(file: Path) -> dict[int, str]:
    """The classes by number: one name a line, or those of ``notes.json``.

    Raises:
        InputError: the file cannot be read, or a line between others is empty.
    """
    if file.suffix == ".json":
        notes = decode_json(file, _Notes, "Label Studio's notes.json")
        return {item.id: name_of(item.name, str(file)) for item in notes.categories}
    lines = [name_of(text, f"{file}: line {n}") for n, text in enumerate(text_lines(file), 1)]
    while lines and not lines[-1]:
        lines.pop()
    if not lines or "" in lines:
        place = f"line {lines.index('') + 1} is empty" if lines else "it is empty"
        raise InputError(f"{file}: {place}; write one name a line, the first is class 0")
    return dict(enumerate(lines))


def find_class_list(folder: Path) -> Path | None:
    """The list of class names in `folder`; None where there is none.

    Raises:
        InputError: there are several that differ.
    """
    found = list(_candidates(folder))
    lists = [read_class_list(file) for file in found]
    if any(names != lists[0] for names in lists):
        named = ", ".join(sorted(file.name for file in found))
        raise InputError(
            f"{folder}: has several lists of class names ({named}); leave the right one"
        )
    return found[0] if found else None


def _candidates(folder: Path) -> Iterator[Path]:
    for pattern in PATTERNS:
        yield from sorted(filter(is_file, list_entries(folder, pattern)))
    if is_file(folder / "notes.json"):
        yield folder / "notes.json"
