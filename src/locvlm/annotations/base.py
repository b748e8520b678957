"""What every reader yields: pictures with boxes, in original pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from locvlm.geometry import Box


@dataclass(frozen=True, slots=True)
class Object:
    """One annotated thing."""

    category: str
    box: Box  # original pixels, inside the picture, with some area
    crowd: bool = False  # the box holds a group, not one instance
    id: int | str = 0  # as in the file
    descriptions: tuple[str, ...] = ()  # phrases that mean this very object, such as RefCOCO's


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """One picture and what is known about it."""

    id: int | str
    file_name: str  # relative to the folder of the pictures
    width: int  # pixels
    height: int
    objects: tuple[Object, ...] = ()
    captions: tuple[str, ...] = ()
    license: str = ""
    url: str = ""  # where the picture comes from, for its credit
    # Categories known not to be here. None: everything that the data set annotates was looked for,
    # so each of its categories without an object is absent.
    absent: tuple[str, ...] | None = None
    # Categories that may have more instances here than boxes, because not all were drawn or one
    # cannot be used: they are not absent, and how many there are is not known.
    not_exhaustive: tuple[str, ...] = ()
    split: str = ""  # that it belongs to, such as train, val or test; empty: the source has none

    def absent_of(self, categories: Sequence[str]) -> list[str]:
        """Those of the data set's `categories` that are surely not in the picture."""
        present = {item.category for item in self.objects}.union(self.not_exhaustive)
        sure = categories if self.absent is None else self.absent
        return [name for name in sure if name not in present]

    def single_instances(self) -> list[Object]:
        """The objects whose category has exactly one instance here, no crowds, in file order."""
        return [items[0] for items in self.instances().values() if len(items) == 1]

    def instances(self) -> dict[str, list[Object]]:
        """The objects of each category that has a box of its own for every instance, in file order.

        Not so where there is a crowd, or where the category is not exhaustive.
        """
        groups: dict[str, list[Object]] = {}
        for item in self.objects:
            groups.setdefault(item.category, []).append(item)
        return {
            name: items
            for name, items in groups.items()
            if name not in self.not_exhaustive and not any(item.crowd for item in items)
        }


@dataclass(frozen=True)
class AnnotationSet:
    """A whole detection data set."""

    images: Sequence[AnnotatedImage]
    categories: tuple[str, ...]  # all that the data set annotates: only these can be absent
    source: Path
    drops: Counter[str] = field(default_factory=Counter)  # reason -> how many were left out
    splits: tuple[str, ...] = ()  # that the source has; empty: it has none
    # Of splits whose images are here beside the one that `drops` tells about
    split_drops: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    # Of the reader, as it settled them: the split that was read, files that it found by itself.
    # Given to the reader again they yield the same.
    options: Mapping[str, str] = field(default_factory=dict)
    pseudo: Mapping[str, Any] = field(default_factory=dict)  # how it was made, if by a model
    # Categories without a box in the whole source, as a root that stands above all others: nobody
    # knows whether they were looked for. None: not known yet.
    unboxed: tuple[str, ...] | None = None
    dummies: tuple[str, ...] = ()  # those of `unboxed` that mean nothing, such as a background
    remarks: tuple[str, ...] = ()  # what is odd about the whole
    category_ids: Mapping[str, str] = field(default_factory=dict)  # in the file -> its name there
    # Name in the file -> the words that `categories` have for it, then other words for the same;
    # of categories that are called otherwise here alone (see `annotations.wording`)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def sought(self, *, unboxed: bool = False) -> tuple[str, ...]:
        """The categories that were looked for: where they have no object, they are absent.

        Args:
            unboxed: take it that categories without any box were looked for, too.
        """
        left_out = self.dummies if unboxed else (self.unboxed or ())
        return tuple(name for name in self.categories if name not in left_out)
