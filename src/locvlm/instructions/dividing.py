"""What is learned and what is held out: divided here, or checked where the data come divided."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.columns import ColumnarImages
from locvlm.annotations.grouping import Overlap, find_overlap, group_images
from locvlm.annotations.holding_out import hold_out
from locvlm.annotations.splits import ALL, TRAIN, asked_split, count_splits
from locvlm.errors import InputError

# Images of other splits that belong together with one that is learned from: they stay and are said,
# they are left out, or nobody looks
Leaky: TypeAlias = Literal["keep", "drop", "skip"]
LEAKED = "pictures that belong together with one of {}"


@dataclass(frozen=True, kw_only=True)
class Division:
    """How a data set is divided."""

    hold_out: float | None = None  # share of the images that is held out as val
    group_by: str | None = None  # pattern of the names of recordings (see `grouping`)
    leaky: Leaky = "keep"


@dataclass(frozen=True)
class Divided:
    """A data set with its splits."""

    data: AnnotationSet
    # split -> images that belong together with one that is learned from; None: nobody has looked
    leaks: dict[str, int] | None = None


def divide(data: AnnotationSet, folder: Path | None, division: Division, *, seed: int) -> Divided:
    """Hold out a part of data without splits, or look through the splits that there are.

    Args:
        data: with the images of all splits.
        folder: of the images; None: their names alone are looked at.
        division: how.
        seed: of what is held out.

    Raises:
        InputError: there is nothing to hold out, or it is held out already; or as `group_images`.
    """
    if division.hold_out is not None:
        return Divided(_hold_out(data, folder, division, division.hold_out, seed))
    learned = asked_split(data)
    others = [name for name in count_splits(data.images) if name != learned]
    if learned in ("", ALL) or not others:
        if division.group_by is not None:
            raise InputError(
                f"--group-by {division.group_by!r}: is for --hold-out, or for data of which a "
                f"split is held out; {data.source} has none"
            )
        return Divided(data)
    if division.leaky == "skip":
        return Divided(data)
    grouping = group_images(
        data.images, folder, pattern=division.group_by, categories=data.categories
    )
    found = find_overlap(data.images, grouping, learned)
    counts = dict.fromkeys(others, 0)
    counts |= count_splits(_keep(data, found.shared).images)
    if division.leaky == "drop":
        return Divided(_drop(data, found, learned), counts)
    advice = ("--leaky drop leaves these pictures out",) if found.shared.any() else ()
    return Divided(replace(data, remarks=(*data.remarks, *found.remarks, *advice)), counts)


def _hold_out(
    data: AnnotationSet, folder: Path | None, division: Division, share: float, seed: int
) -> AnnotationSet:
    present = count_splits(data.images)
    if asked_split(data) != ALL and not set(present) <= {TRAIN}:
        raise InputError(
            f"{data.source}: has splits already ({', '.join(present)}), so that --hold-out is not "
            "needed; --split all takes them together, and divides them anew"
        )
    if not 0 < share < 1:  # before all images are looked at
        raise InputError(f"--hold-out is a share of the pictures between 0 and 1: {share}")
    grouping = group_images(
        data.images, folder, pattern=division.group_by, categories=data.categories
    )
    divided = hold_out(data, share, seed, grouping)
    counts = count_splits(divided.images)
    groups = len(np.unique(grouping.groups))
    said = (
        f"held out as val: {counts.get('val', 0)} of {len(data.images)} pictures"
        f"{f', in {groups} groups that stay together' if groups < len(data.images) else ''}",
        *grouping.remarks,
    )
    return replace(
        divided,
        options={**divided.options, "split": TRAIN},
        remarks=(*divided.remarks, *said),
    )


def _drop(data: AnnotationSet, found: Overlap, learned: str) -> AnnotationSet:
    """Without what other splits share with the one that is learned from, which is counted."""
    left_out = count_splits(_keep(data, found.shared).images)
    reason = LEAKED.format(learned)
    drops = {
        name: Counter(data.split_drops.get(name, {})) + Counter({reason: left_out.get(name, 0)})
        for name in {**data.split_drops, **left_out}
    }
    kept = _keep(data, ~found.shared)
    return replace(kept, split_drops=drops, remarks=(*data.remarks, *found.remarks))


def _keep(data: AnnotationSet, mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> AnnotationSet:
    return replace(data, images=ColumnarImages.of(data.images, data.categories).keep(mask))
