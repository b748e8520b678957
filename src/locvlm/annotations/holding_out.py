"""A part of a data set held out for validation: whole groups, categories spread evenly."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.columns import ColumnarImages
from locvlm.annotations.grouping import Grouping
from locvlm.annotations.splits import TRAIN
from locvlm.errors import InputError

VAL = "val"
_ANY = -1  # the label that every image has


def hold_out(data: AnnotationSet, share: float, seed: int, grouping: Grouping) -> AnnotationSet:
    """The annotations, each image in the split train or val, groups as a whole.

    Each category is spread as evenly as groups allow; one that is in two groups or more is in both
    splits. The same images, share and seed give the same splits, in whatever order they come.

    Args:
        data: has no splits.
        share: of the images that are held out, between 0 and 1.
        seed: of the choice.
        grouping: of the images.

    Raises:
        InputError: the share is none, or there is one group alone.
    """
    if not 0 < share < 1:
        raise InputError(f"--hold-out is a share of the pictures between 0 and 1: {share}")
    if grouping.only:
        raise InputError(f"{data.source}: {grouping.only}")
    images = ColumnarImages.of(data.images, data.categories)
    groups = _list_groups(images, grouping, seed)
    if len(images) < 2:
        raise InputError(
            f"{data.source}: nothing can be held out of {len(images)} picture; give more"
        )
    if len(groups) < 2:
        raise InputError(
            f"{data.source}: nothing can be held out, for all {len(images)} pictures belong "
            f"together: {'; '.join(grouping.remarks) or 'there is one alone'}"
        )
    held = _choose_held(_count_labels(images, groups), share)
    splits = np.full(len(images), TRAIN, dtype=object)
    for places, out in zip(groups, held.tolist(), strict=True):
        splits[places] = VAL if out else TRAIN
    bare = [replace(image, split=split) for image, split in zip(images.bare, splits, strict=True)]
    kept = ColumnarImages(bare, images.starts, images.objects)
    return replace(data, images=kept, splits=(TRAIN, VAL))


def _list_groups(images: ColumnarImages, grouping: Grouping, seed: int) -> list[NDArray[np.int64]]:
    """The places of each group's images, large groups first, else in an order drawn by the seed."""
    order = np.argsort(grouping.groups, kind="stable")
    starts = np.flatnonzero(np.diff(grouping.groups[order])) + 1
    groups = np.split(order, starts)

    def draw(places: NDArray[np.int64]) -> bytes:
        first = min(images.bare[place].file_name for place in places.tolist())
        return blake2b(f"{seed}/{first}".encode(), digest_size=16).digest()

    return sorted(groups, key=lambda places: (-len(places), draw(places)))


def _count_labels(images: ColumnarImages, groups: list[NDArray[np.int64]]) -> list[dict[int, int]]:
    """Of each group, in how many of its images each category is; and how many it has."""
    objects = images.objects
    of_image = np.unique(np.stack([images.image_index(), objects.categories], axis=1), axis=0)
    starts = np.searchsorted(of_image[:, 0], np.arange(len(images) + 1))
    labels = of_image[:, 1]
    counted = []
    for places in groups:
        counts: defaultdict[int, int] = defaultdict(int, {_ANY: len(places)})
        for place in places.tolist():
            for label in labels[starts[place] : starts[place + 1]].tolist():
                counts[label] += 1
        counted.append(dict(counts))
    return counted


def _choose_held(counts: list[dict[int, int]], share: float) -> NDArray[np.bool_]:
    """Which groups are held out: the rarest label first, each group where it is lacked most."""
    members: defaultdict[int, list[int]] = defaultdict(list)
    for group, labels in enumerate(counts):
        for label in labels:
            members[label].append(group)
    rarest_first = sorted(members, key=lambda label: (len(members[label]), -label))
    balance = _Balance(counts, members, share)
    for label in rarest_first:
        for group in members[label]:
            balance.place(group, label)
    for label in rarest_first:
        balance.mend(label)
    balance.trim(share)
    return np.array([side == 1 for side in balance.sides], np.bool_)


class _Balance:
    """What each side has yet to get. Side 1 is held out."""

    def __init__(self, counts: list[dict[int, int]], members: dict[int, list[int]], share: float):
        self.counts, self.members = counts, members
        self.sides: list[int | None] = [None] * len(counts)
        self.totals = {
            label: sum(counts[group][label] for group in groups)
            for label, groups in members.items()
        }
        self.has = [dict.fromkeys(members, 0), dict.fromkeys(members, 0)]  # groups of each side
        self.lacks = [
            {label: of * total for label, total in self.totals.items()} for of in (1 - share, share)
        ]

    def place(self, group: int, label: int) -> None:
        """A group on the side that lacks the label most, or else images."""
        if self.sides[group] is None:
            train, val = ((lack[label], lack[_ANY]) for lack in self.lacks)
            self._put(group, int(val > train))

    def mend(self, label: int) -> None:
        """A label of several groups that one side has none of: a group of it moves there.

        It is the one that brings the most such labels, or else the smallest.
        """
        groups = self.members[label]
        empty = next((side for side in (0, 1) if not self.has[side][label]), None)
        if len(groups) < 2 or empty is None:
            return
        lacking = self.has[empty]
        movable = [group for group in reversed(groups) if self._can_leave(group)]
        if movable:
            self._put(
                max(movable, key=lambda g: sum(not lacking[k] for k in self.counts[g])), empty
            )

    def trim(self, share: float) -> None:
        """What is held out beyond the share goes back, but for what labels need there."""
        held = [group for group, side in enumerate(self.sides) if side == 1]
        beyond = sum(self.counts[group][_ANY] for group in held) - share * self.totals[_ANY]
        for group in reversed(held):  # the smallest first
            size = self.counts[group][_ANY]
            if size <= beyond and self._can_leave(group):
                self._put(group, 0)
                beyond -= size

    def _can_leave(self, group: int) -> bool:
        """Whether its side keeps all of its labels but those that no other group has."""
        has = self.has[self.sides[group] or 0]
        return all(has[k] > 1 or len(self.members[k]) == 1 for k in self.counts[group])

    def _put(self, group: int, side: int) -> None:
        before, self.sides[group] = self.sides[group], side
        for label, count in self.counts[group].items():
            self.lacks[side][label] -= count
            self.has[side][label] += 1
            if before is not None:
                self.lacks[before][label] += count
                self.has[before][label] -= 1
