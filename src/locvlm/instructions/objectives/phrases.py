"""How an object is called in a text: by a description of its own, else by its category.

The rule of arXiv 2404.07449 for pseudo-data: `{category}` becomes the object's own description.
"""

from __future__ import annotations

import random
import re

from locvlm.annotations.base import AnnotatedImage, Object

CATEGORY = "{category}"

_DETERMINED = re.compile(r"(?:an?|the|this|that|his|her|its|their|one|two)\b", re.IGNORECASE)


def nameable(image: AnnotatedImage) -> list[Object]:
    """The objects that a phrase singles out, in file order, no crowds.

    A category does where it has one instance; a description does however many there are.
    """
    single = {id(item) for item in image.single_instances()}
    return [
        item
        for item in image.objects
        if not item.crowd and (item.descriptions or id(item) in single)
    ]


def phrase(item: Object, rng: random.Random) -> str:
    """One of the descriptions, drawn, without its full stop; the category where there is none."""
    return rng.choice(item.descriptions).rstrip(". ") if item.descriptions else item.category


def fill(template: str, phrase: str) -> str:
    """`phrase` in the place of `{category}`; an article of its own replaces the template's."""
    if _DETERMINED.match(phrase):
        template = template.replace(f" a {CATEGORY}", f" {CATEGORY}")
    return template.replace(CATEGORY, phrase)
