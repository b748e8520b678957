"""Categories that are written in several ways, as Car and car; or as numbers.

Whether they mean the same nobody says: apple may be a fruit and Apple a brand. So both are kept,
but where one has a box the other is not called absent, and neither is known to be the only one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.columns import ColumnarImages
from locvlm.io.reading import quote

SHORTEST = 3  # letters; k and K may be the pieces of chess, or letters that are read
SHOWN = 3  # groups in a remark


def mark_spellings(data: AnnotationSet) -> AnnotationSet:
    """`data`, in which categories that are written alike are not exhaustive where one of them is.

    With a remark where several of them have boxes, or all names are numbers.
    """
    if data.categories and all(name.isdecimal() for name in data.categories):
        shown = ", ".join(data.categories[:SHOWN])
        remark = f"all categories are numbers ({shown}), which questions will ask for: name them"
        data = replace(data, remarks=(*data.remarks, remark))
    groups = _groups(data.categories)
    if not groups:
        return data
    columns = ColumnarImages.of(data.images, data.categories)
    names = columns.objects.names
    group_of = {name: group for group in groups for name in group}
    among = np.array([name in group_of for name in names], np.bool_)
    rows = np.flatnonzero(among[columns.objects.categories])
    places = columns.image_index()[rows].tolist()
    present: dict[int, dict[str, None]] = {}
    for place, number in zip(places, columns.objects.categories[rows].tolist(), strict=True):
        present.setdefault(place, {})[names[number]] = None
    bare = [
        _mark(image, present.get(place, {}), group_of) for place, image in enumerate(columns.bare)
    ]
    images: Sequence[AnnotatedImage] = ColumnarImages(bare, columns.starts, columns.objects)
    if not isinstance(data.images, ColumnarImages):
        pairs = zip(data.images, bare, strict=True)
        images = tuple(replace(own, not_exhaustive=new.not_exhaustive) for own, new in pairs)
    return replace(data, images=images, remarks=(*data.remarks, *_tell(data, groups)))


def _tell(data: AnnotationSet, groups: list[list[str]]) -> list[str]:
    """Those of which several have boxes."""
    boxed = [[name for name in group if name not in (data.unboxed or ())] for group in groups]
    told = [", ".join(map(quote, group)) for group in boxed if len(group) > 1]
    if not told:
        return []
    return [
        f"categories that differ by case, spaces or hyphens alone: {'; '.join(told[:SHOWN])}"
        f"{'; …' if len(told) > SHOWN else ''}; where one has a box the others are not called "
        "absent: give them one name"
    ]


def _groups(categories: Sequence[str]) -> list[list[str]]:
    """Of categories that are written alike."""
    groups: dict[str, list[str]] = {}
    for name in categories:
        groups.setdefault(_plain(name), []).append(name)
    return [group for plain, group in groups.items() if len(group) > 1 and len(plain) >= SHORTEST]


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def _mark(
    image: AnnotatedImage, present: dict[str, None], group_of: dict[str, list[str]]
) -> AnnotatedImage:
    seen = [name for name in image.not_exhaustive if name in group_of]
    more = dict.fromkeys(image.not_exhaustive)
    for name in (*present, *seen):
        others = [other for other in group_of[name] if other != name]
        more |= dict.fromkeys(others)
        if any(other in present for other in others):
            more[name] = None
    return replace(image, not_exhaustive=tuple(more)) if more else image
