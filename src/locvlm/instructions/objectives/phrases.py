"""How an object is called in a text: by a description of its own, else by its category.

The rule of arXiv 2404.07449 for pseudo-data: `{category}` becomes the object's own description.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace

from locvlm.annotations.base import AnnotatedImage, Object

CATEGORY = "{category}"

_DETERMINED = re.compile(r"(?:an?|the|this|that|his|her|its|their|one|two)\b", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:an?|the)\s+")


def nameable(image: AnnotatedImage) -> list[Object]:
    """The objects that a phrase singles out, in file order, no crowds.

    A category does where it has one instance; a description does however many there are, unless
    another object is called that too: those descriptions are left out.
    """
    single = {id(item) for item in image.single_instances()}
    common = shared(image)
    pairs = ((item, _without(item, common)) for item in image.objects if not item.crowd)
    return [kept for item, kept in pairs if kept.descriptions or id(item) in single]


def shared(image: AnnotatedImage) -> set[str]:
    """What several objects are called, by a description or their category, in the plain form."""
    if not any(item.descriptions for item in image.objects):
        return set()
    called = Counter(
        name
        for item in image.objects
        for name in {plain(text) for text in (item.category, *item.descriptions)}
    )
    return {name for name, count in called.items() if count > 1}


def plain(text: str) -> str:
    """A description without what makes no difference: its article, capitals and full stop."""
    return _ARTICLE.sub("", text.strip(". ").casefold())


def _without(item: Object, common: set[str]) -> Object:
    if not common:
        return item
    kept = tuple(text for text in item.descriptions if plain(text) not in common)
    return replace(item, descriptions=kept)


def phrase(item: Object, rng: random.Random) -> str:
    """One of the descriptions, drawn, without its full stop; the category where there is none."""
    return rng.choice(item.descriptions).rstrip(". ") if item.descriptions else item.category


def fill(template: str, phrase: str) -> str:
    """`phrase` in the place of `{category}`; an article of its own replaces the template's."""
    if _DETERMINED.match(phrase):
        template = template.replace(f" a {CATEGORY}", f" {CATEGORY}")
    return template.replace(CATEGORY, phrase)
