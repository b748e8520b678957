"""How an object is called in a text: by a description of its own, else by its category.

The rule of arXiv 2404.07449 for pseudo-data: `{category}` becomes the object's own description.
"""

from __future__ import annotations

import re
from collections import Counter

from locvlm.annotations.base import AnnotatedImage

CATEGORY = "{category}"

_DETERMINER = re.compile(r"(?:an?|the|this|that|his|her|its|their|one|two)\b", re.IGNORECASE)
# Of a sound, not of a letter: "an hour", "a unicycle"
_VOWEL = re.compile(
    r"(?!(?:uni(?!n|mp)|use|usu|ut[ei]|ufo\b|uk\b|us\b|usb|eu|ewe|one\b|once\b))[aeiou]"
    r"|hour|honest|hono|heir",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:an?|the)\s+")


def own_descriptions(image: AnnotatedImage) -> list[tuple[str, ...]]:
    """Of each object the descriptions that no other object of the picture is called by."""
    common = shared_phrases(image)
    return [
        tuple(text for text in item.descriptions if normalize_phrase(text) not in common)
        if common
        else item.descriptions
        for item in image.objects
    ]


def shared_phrases(image: AnnotatedImage) -> set[str]:
    """What several objects are called, by a description or their category, in the plain form."""
    if not any(item.descriptions for item in image.objects):
        return set()
    called = Counter(
        name
        for item in image.objects
        for name in {normalize_phrase(text) for text in (item.category, *item.descriptions)}
    )
    return {name for name, count in called.items() if count > 1}


def normalize_phrase(text: str) -> str:
    """A description without what makes no difference: its article, capitals and full stop."""
    return _ARTICLE.sub("", text.strip(". ").casefold())


def fill_category(template: str, phrase: str) -> str:
    """`phrase` in the place of `{category}`; an article of its own replaces the template's.

    The template's "a" is "an" where the phrase begins with the sound of a vowel, by its letters.

    So does a beginning: of the dog that a model described by "There is a brown dog" the answer is
    not "There is a There is a brown dog."
    """
    beginning = template.partition(CATEGORY)[0].removesuffix("a ")
    if beginning and phrase.casefold().startswith(beginning.casefold()):
        phrase = phrase[len(beginning) :]
    if _DETERMINER.match(phrase):
        template = template.replace(f" a {CATEGORY}", f" {CATEGORY}")
    elif _VOWEL.match(phrase):
        template = template.replace(f" a {CATEGORY}", f" an {CATEGORY}")
    return template.replace(CATEGORY, phrase)
