"""What of a picture is not asked about, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from locvlm.annotations.base import AnnotatedImage, Object


def usable_descriptions(image: AnnotatedImage, drops: Counter[str]) -> AnnotatedImage:
    """The picture without descriptions that say nothing or that a template could take for places.

    Each is counted in `drops`.
    """
    if not any(item.descriptions for item in image.objects):
        return image
    objects = tuple(
        replace(item, descriptions=tuple(filter(_usable, item.descriptions)))
        for item in image.objects
    )
    count = _descriptions(image.objects) - _descriptions(objects)
    drops["descriptions that are empty or have braces"] += count
    return replace(image, objects=objects)


def _usable(text: str) -> bool:
    return bool(text.strip(". ")) and not set("{}") & set(text)


def _descriptions(objects: tuple[Object, ...]) -> int:
    return sum(len(item.descriptions) for item in objects)
