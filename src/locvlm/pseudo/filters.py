"""Descriptions that a model made up are checked against the boxes before anything learns from them.

What can be told from words and boxes alone: that nothing was said, or too much, or the same again,
that a place was said in numbers, that another thing is described, or that a side is wrong.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box
from locvlm.instructions.objectives.phrases import plain

MOST_WORDS = 40  # the prompt asks for one short sentence
PEOPLE = (
    "man",
    "men",
    "woman",
    "women",
    "boy",
    "boys",
    "girl",
    "girls",
    "child",
    "children",
    "people",
)
LOOP = 3  # times that the same three words may not come
CLEAR = 0.1  # share of the picture's side by which a center must be off before a side is wrong

EMPTY = "empty descriptions"
LONG = "descriptions that are too long"
REPEATING = "descriptions that repeat themselves"
SHARED = "descriptions of several objects of a picture"
COORDINATES = "descriptions with coordinates"
OTHER = "descriptions of another category"
SIDE = "descriptions with a wrong side"

_PICTURE = r"(?:image|picture|photo|photograph|scene|frame|shot)"
_IN_PICTURE = re.compile(
    rf"\b(?:on|in|at|to) the (?:far |very |upper |lower |top |bottom )?(left|right)"
    rf"(?: (?:hand )?(?:side|part|half|corner|edge))?(?: of the {_PICTURE})?"
    r"(?= *(?:[.,;!]|and\b|$))"
    rf"|\b(?:at|in|on|near) the (top|bottom)(?: (?:part|half|edge))? of the {_PICTURE}\b"
)
_RELATIVE = re.compile(
    r"\b(?:(left|right) (?:side )?of|(above|below|under|beneath)) (?:the|an?) (\w+(?: \w+)*)"
)
_NUMBERS = re.compile(r"\d\s*,\s*-?\d|<\w*\d+>")  # two in a row, or a token of a location
_BEGINNING = re.compile(r"^(?:there (?:is|are)|it is|this is|yes,?|the image (?:shows|features)) ")
# What ends the part of a sentence that says what it is about
_TURN = re.compile(
    r"\b(?:is|are|was|has|have|with|on|in|at|of|by|near|next|behind|beside|between|under|over"
    r"|above|below|to|from|that|which|who|and|while|\w{2,}ing|\w{3,}ed)\b"
)
_DIRECTIONS = {"left": (0, -1), "right": (0, 1), "top": (1, -1), "bottom": (1, 1)}
_DIRECTIONS |= {"above": (1, -1)} | dict.fromkeys(("below", "under", "beneath"), (1, 1))


def filtered(
    image: AnnotatedImage,
    said: Mapping[int, str],
    categories: Sequence[str],
    drops: Counter[str],
) -> tuple[dict[int, str], list[tuple[int, str]]]:
    """The descriptions that may be right, and the others with the reason.

    Args:
        image: the picture.
        said: place in ``image.objects`` -> what was said of the object.
        categories: all of the data set.
        drops: reason -> how many were dropped; added to.
    """
    times = Counter(plain(text) for text in said.values())
    kept, dropped = {}, []
    for place, text in said.items():
        common = times[plain(text)] > 1 and bool(plain(text))
        reason = SHARED if common else fault(text, image.objects[place], image, tuple(categories))
        if reason is None:
            kept[place] = text
        else:
            drops[reason] += 1
            dropped.append((place, reason))
    return kept, dropped


def fault(
    text: str, item: Object, image: AnnotatedImage, categories: tuple[str, ...]
) -> str | None:
    """What is wrong with the description of `item`; None where nothing can be told.

    A side of the picture (``on the left``, ``at the top of the image``) and one of another object
    (``to the left of the dog``, where there is one dog) are measured by the centers of the boxes.
    """
    words = re.findall(r"[\w'-]+", text.casefold())
    if not words:
        return EMPTY
    if len(words) > MOST_WORDS:
        return LONG
    if _NUMBERS.search(text):
        return COORDINATES  # of a frame that nobody knows any more
    triples = Counter(zip(words, words[1:], words[2:], strict=False))
    if triples and max(triples.values()) >= LOOP:
        return REPEATING
    subject = _subject(text, categories)
    if subject is not None and subject != item.category:
        return OTHER
    return SIDE if any(_wrong_sides(text.casefold(), item, image)) else None


def _subject(text: str, categories: tuple[str, ...]) -> str | None:
    """The category that a sentence is about; None where it is about none that is known."""
    text = _BEGINNING.sub("", " ".join(text.casefold().split()))
    found = _named(categories).search(text)
    if found is None or _TURN.search(text, 0, found.start()):
        return None
    return _words(categories)[found.group()]


def _wrong_sides(text: str, item: Object, image: AnnotatedImage) -> Iterator[bool]:
    size = (image.width, image.height)
    middle = (image.width / 2, image.height / 2)
    for found in _IN_PICTURE.finditer(text):
        yield _wrong(found[1] or found[2], _center(item.box), middle, size)
    for found in _RELATIVE.finditer(text):
        if (other := _only(found[3], image)) is not None and other is not item:
            yield _wrong(found[1] or found[2], _center(item.box), _center(other.box), size)


def _wrong(
    word: str, here: tuple[float, float], there: tuple[float, float], size: tuple[int, int]
) -> bool:
    """Whether `here` is clearly on the other side of `there` than the word says."""
    axis, sign = _DIRECTIONS[word]
    return sign * (here[axis] - there[axis]) < -CLEAR * size[axis]


def _only(words: str, image: AnnotatedImage) -> Object | None:
    """The object that the first words name, where there is one of its category."""
    singles = {item.category.casefold(): item for item in image.single_instances()}
    named = [name for name in singles if re.match(rf"{re.escape(name)}\b", words)]
    return singles[max(named, key=len)] if named else None


def _center(box: Box) -> tuple[float, float]:
    return box.center.x, box.center.y


@cache
def _words(categories: tuple[str, ...]) -> dict[str, str]:
    """Word -> the category that it means: names in singular and plural, and words for people."""
    names = {name.casefold(): name for name in categories}
    people = dict.fromkeys(PEOPLE, names["person"]) if "person" in names else {}
    plurals = {f"{word}{end}": name for word, name in names.items() for end in ("s", "es")}
    return plurals | people | names


@cache
def _named(categories: tuple[str, ...]) -> re.Pattern[str]:
    """Finds such a word, the longest of those that begin at a place."""
    longest = sorted(_words(categories), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest)) or '(?!)'})\b")
