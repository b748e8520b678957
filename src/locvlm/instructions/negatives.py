"""Which absent categories are asked about, in the sense of POPE (arXiv 2305.10355).

Random ones; popular ones, which most pictures of the data set have; or adversarial ones, which are
most often seen together with what is in the picture. The harder ones undo the habit of saying yes
to what is usual. Ties are decided by popularity, then by the order of the categories.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.columns import ColumnarImages
from locvlm.errors import InputError

NegativeChoice = Literal["random", "popular", "adversarial"]

AT_ONCE = 4096  # pictures that are counted together
MAX_CATEGORIES = 4096  # their table is handed to every worker


@dataclass(frozen=True, eq=False)
class NegativeChooser:
    """Chooses absent categories. Without a table they are random."""

    choice: NegativeChoice = "random"
    index: dict[str, int] = field(default_factory=dict)  # of each category, in the table
    cooccurrence: NDArray[np.int32] | None = None  # (C, C), see `count_cooccurrence`

    def choose(
        self, absent: Sequence[str], image: AnnotatedImage, count: int, rng: random.Random
    ) -> list[str]:
        """At most `count` of the categories in `absent`, in random order."""
        if self.cooccurrence is not None:
            absent = self._rank(absent, image)[:count]
        return rng.sample(absent, min(count, len(absent)))

    def _rank(self, absent: Sequence[str], image: AnnotatedImage) -> list[str]:
        """The hardest first; categories that no picture could have last."""
        assert self.cooccurrence is not None
        popularity = self.cooccurrence.diagonal()
        score = popularity
        if self.choice == "adversarial":
            present = {item.category for item in image.objects}
            rows = [self.index[name] for name in sorted(present) if name in self.index]
            score = self.cooccurrence[rows].sum(axis=0)
        return sorted(
            absent,
            key=lambda name: (
                (-int(score[i]), -int(popularity[i]), i)
                if (i := self.index.get(name)) is not None
                else (1, 0, 0)
            ),
        )


def make_negative_chooser(annotations: AnnotationSet, choice: NegativeChoice) -> NegativeChooser:
    """The chooser for a data set, which is counted once, and only where the choice needs it.

    Raises:
        InputError: more categories than a table is made of.
    """
    if choice == "random":
        return NegativeChooser()
    names = annotations.categories
    if len(names) > MAX_CATEGORIES:
        raise InputError(
            f"{annotations.source}: {len(names)} categories are too many for {choice} negatives "
            f"(at most {MAX_CATEGORIES}); use random ones"
        )
    index = {name: number for number, name in enumerate(names)}
    return NegativeChooser(choice, index, count_cooccurrence(annotations.images, names))


def count_cooccurrence(
    images: Sequence[AnnotatedImage], categories: Sequence[str]
) -> NDArray[np.int32]:
    """(C, C): in how many pictures both categories are; on the diagonal, in how many one is.

    A crowd is present too.
    """
    counts = np.zeros((len(categories), len(categories)), np.int32)
    for start in range(0, len(images), AT_ONCE):
        present = _presence(images[start : start + AT_ONCE], categories)
        counts += (present.T @ present).astype(np.int32)  # float32 is exact up to 2 ** 24 pictures
    return counts


def _presence(images: Sequence[AnnotatedImage], categories: Sequence[str]) -> NDArray[np.float32]:
    """(N, C): 1 where a picture has an object of the category."""
    present = np.zeros((len(images), len(categories)), np.float32)
    if isinstance(images, ColumnarImages):
        present[images.image_index(), images.objects.categories] = 1
        return present
    index = {name: number for number, name in enumerate(categories)}
    for row, image in enumerate(images):
        present[row, [index[item.category] for item in image.objects]] = 1
    return present
