"""Pictures that are asked about together, as columns, and what several objectives want to know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage
from locvlm.annotations.columns import ColumnarImages
from locvlm.instructions.instruction_columns import TextColumn
from locvlm.instructions.objectives.phrases import own_descriptions

# Of each object; None: no object has any.
Descriptions = Sequence[tuple[str, ...]] | None


class ImageBatch:
    """N pictures with M objects.

    Args:
        images: the pictures.
        categories: of the data set; objects may have others.
    """

    def __init__(self, images: Iterable[AnnotatedImage], categories: Sequence[str] = ()):
        self.images = ColumnarImages.of(images, categories)
        self.objects = self.images.objects
        self.category_index = {name: number for number, name in enumerate(self.objects.names)}
        for image in self.images.bare:
            for name in image.not_exhaustive:
                self.category_index.setdefault(name, len(self.category_index))

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def image_index(self) -> NDArray[np.int64]:
        """(M,): the index of the picture that each object is in."""
        return self.images.image_index()

    @cached_property
    def object_numbers(self) -> NDArray[np.int64]:
        """(M,): the place of each object in its picture."""
        return number_in_groups(self.image_index)

    @cached_property
    def own_descriptions(self) -> Descriptions:
        """Those of each object that no other in its picture is called by."""
        if self.objects.descriptions is None:
            return None
        return [texts for image in self.images for texts in own_descriptions(image)]

    @cached_property
    def nameable(self) -> NDArray[np.int64]:
        """The rows of objects that a phrase singles out, no crowds.

        A category does where it has one instance; a description does however many there are, unless
        another object is called that too.
        """
        named = self.are_single
        if self.own_descriptions is not None:
            named = named | _has_any(self.own_descriptions)
        return np.flatnonzero(named & ~self.objects.crowds)

    @cached_property
    def own_described(self) -> NDArray[np.int64]:
        """The rows of objects that a description singles out, no crowds."""
        return self._described_by(self.own_descriptions)

    @cached_property
    def described(self) -> NDArray[np.int64]:
        """The rows of objects with a description, which others may have as well; no crowds."""
        return self._described_by(self.objects.descriptions)

    def _described_by(self, descriptions: Descriptions) -> NDArray[np.int64]:
        if descriptions is None:
            return np.array([], np.int64)
        return np.flatnonzero(_has_any(descriptions) & ~self.objects.crowds)

    @cached_property
    def are_single(self) -> NDArray[np.bool_]:
        """(M,): whether an object is the only one of its category, as far as is known.

        See `AnnotatedImage.single_instances`.
        """
        return (self.kind_sizes == 1) & ~self.kind_inexhaustive

    @cached_property
    def kinds(self) -> NDArray[np.int64]:
        """(M,): a number that objects of one category in one picture share."""
        return self.image_index * len(self.category_index) + self.objects.categories

    @cached_property
    def kind_sizes(self) -> NDArray[np.int64]:
        """(M,): how many objects of its category are in each object's picture, crowds included."""
        _, inverse, count = np.unique(self.kinds, return_inverse=True, return_counts=True)
        return count[inverse]

    @cached_property
    def kind_inexhaustive(self) -> NDArray[np.bool_]:
        """(M,): whether there may be more of its category than have a box."""
        unsure = [
            row * len(self.category_index) + self.category_index[name]
            for row, image in enumerate(self.images.bare)
            for name in image.not_exhaustive
        ]
        return np.isin(self.kinds, unsure) if unsure else np.zeros(len(self.kinds), np.bool_)

    @cached_property
    def kind_uncounted(self) -> NDArray[np.bool_]:
        """(M,): whether it is not known how many of its category there are.

        See `AnnotatedImage.instances`.
        """
        crowds = self.kinds[self.objects.crowds]
        return self.kind_inexhaustive | np.isin(self.kinds, crowds)

    def categories_of(self, rows: NDArray[np.int64]) -> TextColumn:
        """The names of the categories of some objects."""
        return TextColumn(self.objects.categories[rows].astype(np.int64), self.objects.names)

    def present(self, rows: slice) -> NDArray[np.bool_]:
        """(n, C + 1): what may be in some pictures; the last column is of no category."""
        images = self.images.bare[rows]
        here = np.zeros((len(images), len(self.category_index) + 1), np.bool_)
        low, high = np.searchsorted(self.image_index, [rows.start, rows.start + len(images)])
        here[self.image_index[low:high] - rows.start, self.objects.categories[low:high]] = True
        for row, image in enumerate(images):
            for name in image.not_exhaustive:
                here[row, self.category_index[name]] = True
        return here


def _has_any(descriptions: Sequence[tuple[str, ...]]) -> NDArray[np.bool_]:
    """(M,): whether each object has a description."""
    return np.array([bool(texts) for texts in descriptions], np.bool_)


def number_in_groups(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """(M,): the place of each in its group; `groups` are sorted numbers."""
    return np.arange(len(groups)) - np.searchsorted(groups, groups)
