"""COCO files as tools write them: what can be used is used, the rest is left out and counted.

A file that is as it should be never comes here. A field that nobody needs cannot hurt.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from locvlm.annotations.coco_file import BOXLESS, UNCATEGORIZED, DetectionFile
from locvlm.annotations.drops import note
from locvlm.annotations.segmentations import bound_segmentation
from locvlm.errors import InputError
from locvlm.io.reading import BOM, decode_json, read_bytes

Tree = dict[str, Any]
F = TypeVar("F", bound=DetectionFile)

_SIDES = ("x", "y", "width", "height")


def decode_detections(path: Path, kind: type[F], what: str, drops: Counter[str]) -> F:
    """A COCO file as `kind`; what cannot be used of it is counted in `drops`.

    Raises:
        InputError: it is no complete JSON, or nothing of it is `what` it should be.
    """
    try:
        return decode_json(path, kind, what)
    except InputError as error:
        tree = _load(path)
        _refuse_other_kinds(path, tree)
        mended = _Mending(path, drops).mend(tree)
        if mended is None:
            raise
        try:
            data = msgspec.convert(mended, kind)
        except (msgspec.ValidationError, RecursionError):
            raise error from None
    return data


def _refuse_other_kinds(path: Path, tree: Any) -> None:
    """Raises InputError where its annotations are no boxes at all."""
    items = tree.get("annotations") if isinstance(tree, dict) else None
    first = items[0] if isinstance(items, list) and items else None
    if not isinstance(first, dict) or "category_id" in first:
        return
    if "caption" in first:
        raise InputError(
            f"{path}: has captions; give it as --captions, and instances_*.json with it"
        )
    if "segments_info" in first:
        raise InputError(
            f"{path}: is a panoptic file; give the instances_*.json of the same pictures, or "
            "convert it"
        )


def _load(path: Path) -> Any:
    """Any JSON, also with the NaN and Infinity that Python writes; None where it is none."""
    data = read_bytes(path).removeprefix(BOM)
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if b"NaN" not in data and b"Infinity" not in data:
            return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


class _Mending:
    """Mends a file, entry by entry."""

    def __init__(self, path: Path, drops: Counter[str]):
        self.path, self.drops = path, drops
        self.boxless: list[tuple[Any, Any]] = []
        self.uncategorized: list[Any] = []

    def mend(self, tree: Any) -> Tree | None:
        """The file with what can be used of it; None where that is nothing."""
        if not isinstance(tree, dict):
            return None
        if not (isinstance(tree.get("images"), list) and isinstance(tree.get("categories"), list)):
            return None
        annotations = tree.get("annotations")
        if annotations is None:
            note(self.drops, "files without annotations", str(self.path))
            annotations = []
        if not isinstance(annotations, list):
            return None
        mended = {
            **tree,
            "images": list(self._images(tree["images"])),
            "categories": list(self._categories(tree["categories"])),
            "annotations": list(self._annotations(annotations)),
            "licenses": list(_licenses(tree.get("licenses"))),
        }
        mended |= {BOXLESS: self.boxless, UNCATEGORIZED: self.uncategorized}
        lists = [(tree["images"], "images"), (tree["categories"], "categories")]
        lists.append((annotations, "annotations"))
        return None if any(old and not mended[name] for old, name in lists) else mended

    def _drop(self, reason: str, place: str) -> None:
        note(self.drops, reason, f"{self.path}: {place}")

    def _images(self, items: list[Any]) -> Iterator[Tree]:
        for place, item in enumerate(items):
            number = _id(item.get("id")) if isinstance(item, dict) else None
            if number is None:
                self._drop("pictures without an id", f"images[{place}]")
                continue
            mended = {**item, "id": number}
            name = item.get("file_name")
            if isinstance(name, int | float) and not isinstance(name, bool):
                mended["file_name"] = str(name)
            elif not isinstance(name, str) or not name.strip():
                mended.pop("file_name", None)
                if not isinstance(item.get("coco_url"), str) or "neg_category_ids" not in item:
                    self._drop("pictures without a file name", f"images[{place}] (id {number!r})")
                    continue
            for side in ("width", "height"):
                mended[side] = _whole(item.get(side)) or 0  # 0: not known
            mended["license"] = _id(item.get("license"))
            for key in ("flickr_url", "coco_url"):
                mended[key] = item[key] if isinstance(item.get(key), str) else None
            yield mended

    def _categories(self, items: list[Any]) -> Iterator[Tree]:
        for place, item in enumerate(items):
            name = item.get("name") if isinstance(item, dict) else None
            if isinstance(name, int | float) and not isinstance(name, bool):
                name = str(name)
            number = _id(item.get("id")) if isinstance(item, dict) else None
            if number is None or not isinstance(name, str) or not name.strip():
                self._drop("categories without a name or an id", f"categories[{place}]")
                continue
            above = item.get("supercategory")
            above = above if isinstance(above, str) else None
            yield {"id": number, "name": name, "supercategory": above}

    def _annotations(self, items: list[Any]) -> Iterator[Tree]:
        for place, item in enumerate(items):
            fields = item if isinstance(item, dict) else {}
            image, category = _id(fields.get("image_id")), _id(fields.get("category_id"))
            where = f"annotations[{place}] (id {fields.get('id')!r})"
            if image is None:
                self._drop("annotations without an image_id", where)
            elif category is None:
                self._drop("annotations without a category", where)
                self.uncategorized.append(image)
            elif (box := self._box(fields, where)) is None:
                self._drop("annotations without a box", where)
                self.boxless.append((image, category))
            else:
                yield {
                    "id": _id(fields.get("id")),
                    "image_id": image,
                    "category_id": category,
                    "bbox": box,
                    "iscrowd": _flag(fields.get("iscrowd")),
                    "description": fields.get("description"),
                }

    def _box(self, item: Tree, where: str) -> tuple[float, ...] | None:
        """x, y, width, height as the file has them, or around the segmentation."""
        box = item.get("bbox")
        if isinstance(box, dict) and all(side in box for side in _SIDES):
            box = [box[side] for side in _SIDES]
        if isinstance(box, list) and len(box) == 4:
            numbers = [_number(value) for value in box]
            if all(number is not None for number in numbers):
                return tuple(number for number in numbers if number is not None)
        corners = bound_segmentation(item.get("segmentation"))
        if corners is None:
            return None
        x1, y1, x2, y2 = corners
        self._drop("boxes made of segmentations", where)
        return x1, y1, x2 - x1, y2 - y1


def _licenses(items: Any) -> Iterator[Tree]:
    for item in items if isinstance(items, list) else ():
        number = _id(item.get("id")) if isinstance(item, dict) else None
        if number is not None:
            name = item.get("name")
            yield {"id": number, "name": name if isinstance(name, str) else ""}


def _id(value: Any) -> int | str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        return None
    return value if isinstance(value, str) or abs(value) < 2**63 else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _whole(value: Any) -> int | None:
    """A whole number above 0, however it is written."""
    number = _number(value)
    return int(number) if number is not None and number.is_integer() and number > 0 else None


def _flag(value: Any) -> bool:
    return value.strip().lower() in ("1", "true") if isinstance(value, str) else value in (1, True)
