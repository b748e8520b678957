"""Whether the boxes of a whole data set can be what its format says.

One odd box is cut or left out and counted. Where most are odd, and another reading of the same
numbers puts nearly all of them into their pictures, the numbers prove that they were read wrongly:
that is refused, with the flag that reads them. Few boxes prove nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.box_forms import from_corners, to_corners
from locvlm.errors import InputError

SLACK = 0.02  # share of a side that a box may reach out of its picture by careless drawing
NEARLY_ALL = 0.98  # share of boxes that another reading must fit
MANY = 10  # boxes; among as many, a quarter that does not fit is no accident
FEW = 4  # boxes; fewer prove nothing
ODD, MOST = 0.25, 0.75  # share of boxes that do not fit, of many and of few
SMALLEST_SIDE = 16  # pixels of a picture, below which shares and pixels look alike
SHOWN = 0.05  # share of boxes from which something odd is told
_WORDS = {
    "xywh": "x, y, width, height",
    "xyxy": "corners x1, y1, x2, y2",
    "cxcywh": "center x, y, width, height",
}


def check_boxes(
    source: Path,
    boxes: NDArray[np.float64],
    own: str,
    *,
    takes_forms: bool = False,
    given: bool = False,
) -> list[str]:
    """What is odd about the boxes, in words; each with its share of all.

    Args:
        source: the annotations, for messages.
        boxes: (M, 6) x1, y1, x2, y2 in pixels, nothing cut, then width and height of the picture.
        own: order of the numbers in the format: ``xywh``, ``xyxy`` or ``cxcywh``.
        takes_forms: whether the reader has the option ``boxes``.
        given: whether it was given: then nothing is refused.

    Raises:
        InputError: the numbers prove that they mean something else.
    """
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    if not len(boxes):
        return []
    corners, sizes = boxes[:, :4], boxes[:, 4:]
    if given:
        return _tell_odd(corners)
    numbers = from_corners(corners, own)
    _refuse_shares(source, numbers, sizes, own, takes_forms=takes_forms)
    fits = _fit(corners, sizes)
    if _prove(~fits):
        _refuse_other_order(source, numbers, sizes, own, fits, takes_forms=takes_forms)
        _refuse_other_resolution(source, corners, sizes, fits)
    return _tell_odd(corners)


def _prove(odd: NDArray[np.bool_]) -> bool:
    """Whether so many are odd that it is no accident."""
    share = odd.mean()
    return bool((len(odd) >= MANY and share >= ODD) or (len(odd) >= FEW and share >= MOST))


def _fit(corners: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(M,): whether they have an area and lie in their pictures."""
    slack = sizes * SLACK + 1
    low, high = corners[:, :2], corners[:, 2:]
    return np.all((high > low) & (low >= -slack) & (high <= sizes + slack), axis=1)


def _refuse_shares(
    source: Path,
    numbers: NDArray[np.float64],
    sizes: NDArray[np.float64],
    own: str,
    *,
    takes_forms: bool,
) -> None:
    broken = 2 * numbers != np.round(2 * numbers)  # pixels are whole, centers perhaps half
    small = np.all(np.abs(numbers) <= 1 + SLACK, axis=1) & (sizes.min(axis=1) >= SMALLEST_SIDE)
    if not (small.all() and broken.any()):
        return
    order = own
    fit = {name: _fit_shares(numbers, sizes, name) for name in _WORDS}
    if fit[own] < NEARLY_ALL and max(fit.values()) > fit[own]:
        order = max(fit, key=lambda name: fit[name])
    flag = "shares" if order == own else f"shares-{order}"
    raise InputError(
        f"{source}: all {len(numbers)} boxes have numbers from 0 to 1, as {_show(numbers)}: they "
        f"look like shares of width and height ({_WORDS[order]}), not pixels; "
        f"{_way_out(flag, takes_forms=takes_forms)}"
    )


def _fit_shares(numbers: NDArray[np.float64], sizes: NDArray[np.float64], order: str) -> float:
    corners = to_corners(numbers, sizes, f"shares-{order}", order)
    return float(_fit(corners, sizes).mean())


def _refuse_other_order(
    source: Path,
    numbers: NDArray[np.float64],
    sizes: NDArray[np.float64],
    own: str,
    fits: NDArray[np.bool_],
    *,
    takes_forms: bool,
) -> None:
    fit = {
        name: float(_fit(to_corners(numbers, sizes, name, own), sizes).mean()) for name in _WORDS
    }
    order = max(fit, key=lambda name: fit[name])
    if order != own and fit[order] >= NEARLY_ALL:
        odd = int((~fits).sum())
        raise InputError(
            f"{source}: as {_WORDS[own]}, {odd} of {len(fits)} boxes reach out of their pictures "
            f"or have no area (the first: {_show(numbers[~fits])}); they look like "
            f"{_WORDS[order]}, which {round(100 * fit[order])} % fit; "
            f"{_way_out(order, takes_forms=takes_forms)}, --boxes {own} takes them as they are"
            if takes_forms
            else f"{source}: {odd} of {len(fits)} boxes reach out of their pictures or have no "
            f"area (the first: {_show(numbers[~fits])}); they look like {_WORDS[order]}; "
            f"write them as {_WORDS[own]}"
        )


def _refuse_other_resolution(
    source: Path,
    corners: NDArray[np.float64],
    sizes: NDArray[np.float64],
    fits: NDArray[np.bool_],
) -> None:
    """Where boxes with an area lie in the pictures if those were larger."""
    low, high = corners[:, :2], corners[:, 2:]
    sound = np.all((high > low) & (low >= -sizes * SLACK - 1), axis=1)
    if sound.mean() < NEARLY_ALL or fits.mean() > 1 - ODD:
        return
    reach = high[sound].max(axis=0)
    times = float(np.quantile((high / sizes).max(axis=1), NEARLY_ALL, method="higher"))
    if times > 1 + 5 * SLACK:
        width, height = np.median(sizes, axis=0).astype(int).tolist()
        raise InputError(
            f"{source}: {int((~fits).sum())} of {len(fits)} boxes reach out of their pictures, up "
            f"to {reach[0]:.0f} × {reach[1]:.0f} where a picture is {width} × {height}: the boxes "
            f"fit pictures {times:.2g} × as large; give the pictures that were annotated, or "
            "scale the boxes (--boxes xywh, xyxy, … takes them as they are)"
        )


def _tell_odd(corners: NDArray[np.float64]) -> list[str]:
    """What may be right all the same."""
    sides = corners[:, 2:] - corners[:, :2]
    found = []
    small = int(np.any((sides > 0) & (sides < 1), axis=1).sum())
    if small >= max(FEW, SHOWN * len(corners)):
        found.append(f"{small} of {len(corners)} boxes are narrower than a pixel")
    if len(corners) >= MANY:
        same = int(np.all(corners == np.median(corners, axis=0), axis=1).sum())
        if same > len(corners) / 2:  # else the middle of all is none of them
            found.append(f"{same} of {len(corners)} boxes are the same")
    return found


def _way_out(flag: str, *, takes_forms: bool) -> str:
    return f"--boxes {flag} reads them so" if takes_forms else "write them in pixels"


def _show(numbers: NDArray[np.float64]) -> str:
    return "[" + ", ".join(f"{number:g}" for number in np.round(numbers[0], 4).tolist()) + "]"
