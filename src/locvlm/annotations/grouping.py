"""Which images belong together: what is learned from one gives the others away.

copies that Roboflow made of one image ─┐
frames of one recording ────────────────┼─► groups, each for training or for validation as a whole
equal files, nearly equal pixels ───────┘
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage
from locvlm.annotations.columns import ColumnarImages
from locvlm.annotations.recordings import guess_recordings, read_recordings, source_names
from locvlm.annotations.splits import TRAIN
from locvlm.media.fingerprints import (
    Fingerprint,
    Pairs,
    count_differing,
    equal_pairs,
    near_pairs,
    read_fingerprints,
    stack_looks,
)

EQUAL, NEAR, COPIES, RECORDING = (  # why images belong together
    "equal files",
    "nearly equal pixels",
    "copies by Roboflow of one picture",
    "the same recording",
)


@dataclass(frozen=True, eq=False)
class Grouping:
    """N images, and which of them belong together."""

    groups: NDArray[np.int64]  # (N,) place of the first image of each one's group
    kinds: dict[str, NDArray[np.int64]]  # reason -> the groups by that reason alone
    prints: Sequence[Fingerprint | None] = ()  # what the images look like; none: not looked at
    remarks: tuple[str, ...] = ()  # what was found and guessed, in words
    only: str = ""  # why nothing can be held out


@dataclass(frozen=True, eq=False)
class Overlap:
    """What is both in the training split and in others."""

    shared: NDArray[np.bool_]  # (N,) images of other splits that belong together with one of train
    remarks: tuple[str, ...] = field(default=())  # in words, with the first of each


class Groups:
    """Places that are joined, two by two."""

    def __init__(self, count: int):
        self._roots = np.arange(count)

    def join(self, pairs: Pairs) -> None:
        """Each first with its second, and with all that either was joined with before."""
        first, second = pairs
        while True:
            a, b = self._roots[first], self._roots[second]
            apart = a != b
            if not apart.any():
                return
            first, second = first[apart], second[apart]
            low, high = np.minimum(a, b)[apart], np.maximum(a, b)[apart]
            np.minimum.at(self._roots, high, low)
            while not np.array_equal(above := self._roots[self._roots], self._roots):
                self._roots = above

    @property
    def roots(self) -> NDArray[np.int64]:
        """(N,) the first place of those that each one is joined with."""
        return self._roots.copy()


def group_images(
    images: Sequence[AnnotatedImage],
    folder: Path | None,
    *,
    pattern: str | None = None,
    categories: Sequence[str] = (),
) -> Grouping:
    """Images that belong together: by their names, their files, and what they look like.

    Args:
        images: of all splits.
        folder: of the images; None: their files are not looked at.
        pattern: a regular expression whose first group, or all that it matches in a file's name, is
            the name of its recording; None: it is guessed (see `recordings`).
        categories: of the data set; folders that are called like them are no recordings.

    Raises:
        InputError: the pattern is none, or matches no name.
    """
    files = [image.file_name for image in _bare(images)]
    prints = [] if folder is None else read_fingerprints(folder, files)
    known = prints or [None] * len(files)
    recordings = (
        guess_recordings(files, known, categories)
        if pattern is None
        else read_recordings(files, pattern)
    )
    kinds = {
        EQUAL: _join_pairs(len(files), equal_pairs(known)),
        NEAR: _join_near(known),
        COPIES: _join_names(source_names(files)),
        RECORDING: _join_names(recordings.names),
    }
    together = Groups(len(files))
    for roots in kinds.values():
        together.join((np.arange(len(files)), roots))
    remarks = (recordings.remark, *_describe_kinds(kinds, files), _say_unread(prints, files))
    return Grouping(together.roots, kinds, prints, tuple(filter(None, remarks)), recordings.only)


def find_overlap(
    images: Sequence[AnnotatedImage], grouping: Grouping, learned: str = TRAIN
) -> Overlap:
    """Images of val, test and other splits that belong together with one of the split `learned`."""
    bare = _bare(images)
    splits = np.array([image.split for image in bare], np.str_)
    train, others = splits == learned, (splits != learned) & (splits != "")
    shared = np.zeros(len(bare), np.bool_)
    remarks = list[str]()
    if train.any() and others.any():
        for reason, roots in grouping.kinds.items():
            found = others & np.isin(roots, roots[train]) & ~shared
            shared |= found
            for split in dict.fromkeys(splits[found].tolist()):
                places = np.flatnonzero(found & (splits == split))
                beside = _nearest(
                    places[0], np.flatnonzero(train & (roots == roots[places[0]])), grouping
                )
                remarks.append(
                    f"{len(places)} of {int((splits == split).sum())} pictures of {split} are "
                    f"also in {learned}: {reason} (such as {bare[places[0]].file_name} and "
                    f"{bare[beside].file_name})"
                )
    if grouping.only and others.any():
        remarks.append(grouping.only)
    return Overlap(shared, tuple(remarks))


def _nearest(place: int, others: NDArray[np.int64], grouping: Grouping) -> int:
    """Of some images the one that looks most like the image in `place`."""
    here = grouping.prints[place] if grouping.prints else None
    if here is None:
        return int(others[0])
    bits = [
        count_differing(here, other) if (other := grouping.prints[k]) else 257
        for k in others.tolist()
    ]
    return int(others[int(np.argmin(bits))])


def _join_pairs(count: int, pairs: Pairs) -> NDArray[np.int64]:
    groups = Groups(count)
    groups.join(pairs)
    return groups.roots


def _join_near(prints: Sequence[Fingerprint | None]) -> NDArray[np.int64]:
    groups = Groups(len(prints))
    places, looks = stack_looks(prints)
    for first, second in near_pairs(looks):
        groups.join((places[first], places[second]))
    return groups.roots


def _join_names(names: Sequence[str]) -> NDArray[np.int64]:
    """Images of the same name; those without one are each for itself."""
    first: dict[str, int] = {}
    return np.array(
        [first.setdefault(name, place) if name else place for place, name in enumerate(names)],
        np.int64,
    )


def _describe_kinds(kinds: dict[str, NDArray[np.int64]], files: Sequence[str]) -> list[str]:
    """How many images of each kind belong together; recordings are described with the guess."""
    lines = []
    for reason, roots in kinds.items():
        later = np.flatnonzero(roots != np.arange(len(roots)))
        if len(later) and reason != RECORDING:
            groups = np.unique(roots[later])
            example = f"{files[roots[later[0]]]} and {files[later[0]]}"
            lines.append(
                f"{len(groups) + len(later)} pictures in {len(groups)} groups: {reason}, such as "
                f"{example}"
            )
    return lines


def _say_unread(prints: Sequence[Fingerprint | None], files: Sequence[str]) -> str:
    unread = [name for each, name in zip(prints, files, strict=False) if each is None]
    if not unread:
        return ""
    return f"pictures that could not be looked at: {len(unread)}, such as {unread[0]}"


def _bare(images: Sequence[AnnotatedImage]) -> Sequence[AnnotatedImage]:
    """The images, without their objects where these would have to be made."""
    return images.bare if isinstance(images, ColumnarImages) else images
