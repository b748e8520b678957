"""The label files of YOLO: a line for each object.

    1 0.5 0.5 0.25 0.1                    class, center, width, height
    1 0.1 0.2 0.6 0.2 0.6 0.7             class, corners of a polygon, or of a rotated box (four)
    1 0.5 0.5 0.2 0.4 0.5 0.4 2 …         class, box, key points: only with kpt_shape

Numbers are shares (0 … 1) of the width and height of the picture. A line is read by the count of
its numbers; a count that can mean two things is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from locvlm.annotations.box_forms import SHARES, corners_of
from locvlm.annotations.boxes import ImageFindings, clip_box
from locvlm.annotations.drops import note
from locvlm.annotations.shapes import count_lost
from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.io.reading import parse_integer, parse_number, text_lines

UPRIGHT = "rotated boxes that stand upright (four corners), read as boxes"
MOST = 2  # shares; a box may reach out of its picture, but larger numbers are pixels
_TOUCH = 1e-4  # shares; a key point on the edge of its box is in it
_DECIMAL_COMMA = re.compile(r"\d+(\s+-?\d+,\d+){4,}")
_SEPARATORS = re.compile(r"[\s,;]+")

Names = Mapping[int, str]
Edges = tuple[float, float, float, float]


@dataclass
class LabelReader:
    """Reads one label file after the other, and looks at what all of them have in common."""

    names: Names
    keypoints: int  # numbers behind a box that belong to its key points
    drops: Counter[str]
    form: str | None = None  # of the four numbers of a box (see `box_forms`); None: YOLO's own
    _counts: set[int] = field(default_factory=set)  # of numbers, in lines read as polygons
    _first: str = ""  # place of the first of them
    _all_keypoints: bool = True  # each of them may as well be a box with key points

    def read(self, file: Path, size: Size) -> ImageFindings:
        """The objects of a picture of `size` (pixels).

        Raises:
            InputError: a line is none of those above, or its class is unknown.
        """
        found, seen = ImageFindings(), set()
        for line, text in enumerate(text_lines(file), start=1):
            where = f"{file}: line {line}"
            words = _words(text)
            if not words:
                continue
            if words in seen:
                note(self.drops, "repeated lines in label files", where)
                continue
            seen.add(words)
            category = parse_integer(words[0], f"{where}, class")
            if category not in self.names:
                raise InputError(f"{where}: class {category} is not among the names of data.yaml")
            box = clip_box(self._corners(words[1:], size, where), size, self.drops, where)
            found.add(self.names[category], box, id=line)
        return found

    def check(self) -> None:
        """Raises InputError where what was read as polygons may be boxes with key points."""
        if self._counts and self._all_keypoints and len(self._counts) == 1:
            [count] = self._counts
            raise InputError(
                f"{self._first}: {count} numbers behind the class may be a polygon of "
                f"{count // 2} corners, or a box with key points inside, as in all these lines; "
                "give kpt_shape: [points, numbers of each] in data.yaml, or kpt_shape: none"
            )

    def _corners(self, words: tuple[str, ...], size: Size, where: str) -> Edges:
        """x1, y1, x2, y2 in pixels."""
        keypoints = max(self.keypoints, 0)
        polygon = not keypoints and len(words) >= 6 and len(words) % 2 == 0
        if not polygon and len(words) != 4 + keypoints:
            raise InputError(f"{where}: {_wrong_count(len(words), keypoints)}")
        values = [parse_number(word, where) for word in words]
        form = self.form or SHARES
        for value in values if polygon else values[:4]:
            if abs(value) > MOST and form.startswith(SHARES):
                raise InputError(
                    f"{where}: {value:g} is no share of the picture; --boxes cxcywh, xyxy or xywh "
                    "reads pixels"
                )
        if not polygon:
            if keypoints:
                note(self.drops, "key points, of which the box alone is read", where)
            return corners_of(values[:4], size, form, "cxcywh")
        around = self._around(values, where)
        return corners_of(around, size, SHARES if form.startswith(SHARES) else None, "xyxy")

    def _around(self, values: list[float], where: str) -> Edges:
        """The box around a polygon, in shares; what it loses is counted."""
        self._counts.add(len(values))
        self._first = self._first or where
        if self.keypoints == 0:
            self._all_keypoints = self._all_keypoints and _may_be_keypoints(values)
        else:
            self._all_keypoints = False
        xs, ys = values[::2], values[1::2]
        around = min(xs), min(ys), max(xs), max(ys)
        if not _is_upright(values, around):
            kind = "rotated boxes" if len(values) == 8 else "polygons"
            count_lost(kind, self.drops, where)
        elif len(values) == 8:
            note(self.drops, UPRIGHT, where)
        return around


def _words(text: str) -> tuple[str, ...]:
    """Split at spaces; also at commas or semicolons, where those are no decimal commas."""
    if "," in text and _DECIMAL_COMMA.fullmatch(text.strip()):
        return tuple(text.replace(",", ".").split())
    if "," in text or ";" in text:
        return tuple(filter(None, _SEPARATORS.split(text.strip())))
    return tuple(text.split())


def _wrong_count(count: int, keypoints: int) -> str:
    said = f"{count} numbers behind the class; a box has 4"
    if keypoints:
        return f"{said}, and kpt_shape says {keypoints} more"
    said += ", a polygon 6, 8, 10 …"
    if count == 5:
        return f"{said}; a fifth is a confidence, an angle or a number of a track: remove it"
    return said


def _edges(values: list[float]) -> Edges:
    cx, cy, w, h = values[:4]
    return cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2


def _may_be_keypoints(values: list[float]) -> bool:
    """Whether the first four numbers are a box, and the others points inside it."""
    x1, y1, x2, y2 = _edges(values)
    if values[2] <= 0 or values[3] <= 0 or min(x1, y1) < -_TOUCH or max(x2, y2) > 1 + _TOUCH:
        return False

    def inside(xs: list[float], ys: list[float]) -> bool:
        points = [(x, y) for x, y in zip(xs, ys, strict=True) if x or y]  # 0 0: not labelled
        return bool(points) and all(
            x1 - _TOUCH <= x <= x2 + _TOUCH and y1 - _TOUCH <= y <= y2 + _TOUCH for x, y in points
        )

    rest = values[4:]
    pairs = inside(rest[::2], rest[1::2])
    seen = len(rest) % 3 == 0 and set(rest[2::3]) <= {0, 1, 2}
    return pairs or (seen and inside(rest[::3], rest[1::3]))


def _is_upright(values: list[float], around: Edges) -> bool:
    """Whether the points are the four corners of the box `around` them."""
    x1, y1, x2, y2 = around
    corners = {(x1, y1), (x2, y1), (x2, y2), (x1, y2)}
    return set(zip(values[::2], values[1::2], strict=True)) == corners
