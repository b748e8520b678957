"""Corners of polygons, which look like boxes side by side; and a location that ends with its text.

``<loc_x1><loc_y1> … <loc_x4><loc_y4>`` is a quadrilateral, as Florence-2 reads words, or two boxes
of one name. Two boxes have their corners in order; of a polygon's, half of the pairs run back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from locvlm.coordinates.base import FoundLocation

_JOINT = re.compile(r"\s*,?\s*")
_QUAD = re.compile(r"<\|?quad(?:_start)?\|?>\s*\Z")


def join_polygons(text: str, found: Sequence[FoundLocation], mark: str) -> Iterator[FoundLocation]:
    """What was found in `text`, the corners of each polygon as one that is no location.

    Args:
        text: an answer.
        found: of a dialect whose boxes may stand side by side with no mark between them.
        mark: begins a location of its own, ``<box>``; empty where there is none.
    """
    if len(found) < 2:  # most answers: told faster
        yield from found
        return
    run: list[FoundLocation] = []
    for each in found:
        marked = bool(mark) and text.startswith(mark, each.span[0])
        if run and (marked or not _JOINT.fullmatch(text, run[-1].span[1], each.span[0])):
            yield from _settle(text, run)
            run = []
        run.append(each)
    yield from _settle(text, run)


def _settle(text: str, run: list[FoundLocation]) -> Iterator[FoundLocation]:
    boxes = [each.numbers for each in run if each.numbers and len(each.numbers) == 4]
    back = sum(box[0] > box[2] or box[1] > box[3] for box in boxes)
    begins = run[0].span[0] if run else 0
    quad = bool(boxes) and _QUAD.search(text, max(0, begins - 20), begins) is not None
    # An answer that was cut has whole boxes before the tokens that are left over
    cut = run[-1].numbers is None and run[-1].span[1] == len(text.rstrip()) if run else False
    odd = len(boxes) < len(run) and not cut
    if quad or (boxes and len(run) > 1 and (odd or 2 * back >= len(boxes))):
        yield FoundLocation((begins, run[-1].span[1]), None)
    else:
        yield from run
