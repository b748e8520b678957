"""Whether the boxes of a whole data set can be what its format says.

One odd box is cut or left out and counted. Where most are odd, and another reading of the same
numbers puts nearly all of them into their pictures, the numbers prove that they were read wrongly:
that is refused, with the flag that reads them. Few boxes prove nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.box_forms import SHARES, from_corners, to_corners, unit_sizes
from locvlm.annotations.form_names import Unit
from locvlm.errors import InputError

SLACK = 0.02  # share of a side that a box may reach out of its picture by careless drawing
NEARLY_ALL = 0.98  # share of boxes that another reading must fit
MANY = 10  # boxes; among as many, a quarter that does not fit is no accident
FEW = 4  # boxes; fewer prove nothing
ODD, MOST = 0.25, 0.75  # share of boxes that do not fit, of many and of few
SMALLEST_SIDE = 16  # pixels of a picture, below which shares and pixels look alike
SHOWN = 0.05  # share of boxes from which something odd is told
CORNER = 0.6  # share of both sides; where all of so many boxes end before it, they may be those
SEVERAL = 20  # of smaller copies of the pictures
_WORDS = {
    "xywh": "x, y, width, height",
    "xyxy": "corners x1, y1, x2, y2",
    "cxcywh": "center x, y, width, height",
    "yxyx": "corners y1, x1, y2, x2",
}
_UNITS = {
    "pixels": "pixels",
    "shares": "shares (0 to 1) of width and height",
    "percent": "percent of width and height",
}


@dataclass(frozen=True)
class OwnForm:
    """How a format writes boxes."""

    order: str  # ``xywh``, ``xyxy`` or ``cxcywh``
    unit: Unit = "pixels"
    first: int = 0  # number of the first pixel, in corners

    def numbers(
        self, corners: NDArray[np.float64], sizes: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(M, 4) as the file has them, of (M, 4) corners in pixels and (M, 2) sizes."""
        shifted = corners + np.array([self.first, self.first, 0, 0])
        numbers: NDArray[np.float64] = from_corners(shifted, self.order)
        return numbers / unit_sizes(sizes, self.unit)


@dataclass(frozen=True)
class _Boxes:
    """M boxes as they were read, and the numbers in the file that they come from."""

    source: Path
    own: OwnForm
    corners: NDArray[np.float64]  # (M, 4) x1, y1, x2, y2 in pixels
    sizes: NDArray[np.float64]  # (M, 2) of the pictures
    numbers: NDArray[np.float64]  # (M, 4)

    def fit_of(self, order: str, unit: Unit) -> float:
        """The share of boxes that fit if the numbers are of this order and unit."""
        corners = to_corners(self.numbers, self.sizes, order, order)
        return float(_fit(corners * unit_sizes(self.sizes, unit), self.sizes).mean())

    def best_order(self, unit: Unit) -> str:
        """The order that fits best; the format's own where none fits better."""
        fits = {name: self.fit_of(name, unit) for name in (self.own.order, *_WORDS)}
        return max(fits, key=lambda name: fits[name])


def check_boxes(
    source: Path, boxes: NDArray[np.float64], own: OwnForm, *, given: bool = False
) -> list[str]:
    """What is odd about the boxes, in words; each with its share of all.

    Args:
        source: the annotations, for messages.
        boxes: (M, 6) x1, y1, x2, y2 in pixels, nothing cut, then width and height of the picture.
        own: how the format writes boxes.
        given: whether the option ``boxes`` was given: then nothing is refused.

    Raises:
        InputError: the numbers prove that they mean something else.
    """
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    if not len(boxes):
        return []
    with np.errstate(over="ignore", invalid="ignore"):  # beyond all pictures fits in none
        return _check(source, boxes[:, :4], boxes[:, 4:], own, given=given)


def _check(
    source: Path,
    corners: NDArray[np.float64],
    sizes: NDArray[np.float64],
    own: OwnForm,
    *,
    given: bool,
) -> list[str]:
    if given:
        return _tell_odd(corners, sizes)
    read = _Boxes(source, own, corners, sizes, own.numbers(corners, sizes))
    if own.unit != "shares":
        _refuse_shares(read)
    fits = _fit(corners, sizes)
    if _prove(~fits):
        _refuse_other_form(read, fits, own.unit)
        if own.unit == "pixels":
            _refuse_other_resolution(read, fits)
        else:
            _refuse_other_form(read, fits, "pixels")
    return [*_tell_first(read), *_tell_odd(corners, sizes)]


def _tell_first(read: _Boxes) -> list[str]:
    """Where numbers below that of the first pixel say that it is another."""
    first = read.own.first
    low = read.numbers[:, :2]
    below = int(np.any((low > first - 2) & (low < first), axis=1).sum())
    if not first or below < max(FEW, SHOWN * len(low)):
        return []
    return [
        f"{below} of {len(low)} boxes begin at {first - 1}, though the form counts pixels from "
        f"{first}: --boxes {read.own.order} reads edges counted from 0"
    ]


def _prove(odd: NDArray[np.bool_]) -> bool:
    """Whether so many are odd that it is no accident."""
    share = odd.mean()
    return bool((len(odd) >= MANY and share >= ODD) or (len(odd) >= FEW and share >= MOST))


def _fit(corners: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(M,): whether they have an area and lie in their pictures."""
    slack = sizes * SLACK + 1
    low, high = corners[:, :2], corners[:, 2:]
    return np.all((high > low) & (low >= -slack) & (high <= sizes + slack), axis=1)


def _refuse_shares(read: _Boxes) -> None:
    """Where all numbers are from 0 to 1 in pictures that are larger."""
    numbers, own = read.numbers, read.own
    broken = 2 * numbers != np.round(2 * numbers)  # pixels are whole, centers perhaps half
    small = np.all(np.abs(numbers) <= 1 + SLACK, axis=1)
    large = read.sizes.min(axis=1) >= SMALLEST_SIDE
    if not ((small & large).all() and broken.any()):
        return _refuse_mixed(read, large)
    sound = read.fit_of(own.order, "shares") >= NEARLY_ALL
    order = own.order if sound else read.best_order("shares")
    raise InputError(
        f"{read.source}: all {len(numbers)} boxes have numbers from 0 to 1, as {_show(numbers)}: "
        f"they look like shares of width and height ({_WORDS[order]}), not {own.unit}; "
        f"--boxes {_flag(order, 'shares', own)} reads them so"
    )


def _refuse_mixed(read: _Boxes, large: NDArray[np.bool_]) -> None:
    """Where the numbers along one side alone are from 0 to 1."""
    small = np.abs(read.numbers) <= 1 + SLACK
    sides = [
        name
        for name, axis in (("width", small[:, ::2]), ("height", small[:, 1::2]))
        if len(axis) >= FEW and axis.all() and large.all()
    ]
    if len(sides) == 1:
        raise InputError(
            f"{read.source}: all {len(small)} boxes have numbers from 0 to 1 along the {sides[0]} "
            f"alone, as {_show(read.numbers)}: they look like shares on one side and "
            f"{read.own.unit} on the other; write both alike (--boxes {read.own.order} takes them "
            "as they are)"
        )


def _refuse_other_form(read: _Boxes, fits: NDArray[np.bool_], unit: Unit) -> None:
    """Where nearly all fit in another order, or another unit."""
    own, order = read.own, read.best_order(unit)
    if (order, unit) == (own.order, own.unit) or read.fit_of(order, unit) < NEARLY_ALL:
        return
    odd, share = int((~fits).sum()), round(100 * read.fit_of(order, unit))
    counted = "" if unit == own.unit == "pixels" else f" in {_UNITS[unit]}"
    way_out = f"--boxes {_flag(order, unit, own)} reads them so"
    if own.unit != "percent":
        way_out += f", --boxes {_flag(own.order, own.unit, own)} takes them as they are"
    elif unit == "percent":
        way_out = f"write them as {_WORDS[own.order]}"
    raise InputError(
        f"{read.source}: as {_WORDS[own.order]}, {odd} of {len(fits)} boxes reach out of their "
        f"pictures or have no area (the first: {_show(read.numbers[~fits])}); they look like "
        f"{_WORDS[order]}{counted}, which {share} % fit; {way_out}"
    )


def _flag(order: str, unit: Unit, own: OwnForm) -> str:
    if unit == "pixels":
        return order
    return SHARES if order == own.order else f"{SHARES}-{order}"


def _refuse_other_resolution(read: _Boxes, fits: NDArray[np.bool_]) -> None:
    """Where boxes with an area lie in the pictures if those were larger."""
    sizes, low, high = read.sizes, read.corners[:, :2], read.corners[:, 2:]
    sound = np.all((high > low) & (low >= -sizes * SLACK - 1), axis=1)
    if sound.mean() < NEARLY_ALL or fits.mean() > 1 - ODD:
        return
    reach = high[sound].max(axis=0)
    times = float(np.quantile((high / sizes).max(axis=1), NEARLY_ALL, method="higher"))
    if times > 1 + 5 * SLACK:
        width, height = np.median(sizes, axis=0).astype(int).tolist()
        if _fit(read.corners, sizes[:, ::-1]).mean() >= NEARLY_ALL:
            raise InputError(
                f"{read.source}: {int((~fits).sum())} of {len(fits)} boxes reach out of their "
                f"pictures, and all fit if those are not {width} × {height} but {height} × "
                f"{width}: width and height are swapped; correct them (--boxes {read.own.order} "
                "takes them as they are)"
            )
        raise InputError(
            f"{read.source}: {int((~fits).sum())} of {len(fits)} boxes reach out of their "
            f"pictures, up to {reach[0]:.0f} × {reach[1]:.0f} where a picture is {width} × "
            f"{height}: the boxes fit pictures {times:.2g} × as large; give the pictures that were "
            f"annotated, or scale the boxes (--boxes {read.own.order} takes them as they are)"
        )


def _tell_odd(corners: NDArray[np.float64], sizes: NDArray[np.float64]) -> list[str]:
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
    reach = float((corners[:, 2:] / sizes).max())
    if len(corners) >= SEVERAL and 0 < reach <= CORNER:
        found.append(
            f"all {len(corners)} boxes lie in the first {100 * reach:.0f} % of their pictures' "
            "width and height, as boxes of smaller copies do; look at some with locvlm inspect"
        )
    return found


def _show(numbers: NDArray[np.float64]) -> str:
    return "[" + ", ".join(f"{number:g}" for number in np.round(numbers[0], 4).tolist()) + "]"
