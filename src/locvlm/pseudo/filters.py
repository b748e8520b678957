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
from locvlm.geometry import Box, Size
from locvlm.instructions.objectives.phrases import normalize_phrase
from locvlm.io.reading import one_line, sayable

MAX_WORDS, MAX_CHARACTERS = 40, 300  # the prompt asks for one short sentence
TOO_MANY_REPEATS = 3  # of the same three words
SIDE_MARGIN = 0.1  # share of the picture's side by which a center must be off to be wrong
PEOPLE = ("man", "men", "woman", "women", "boy", "boys", "girl", "girls", "child", "children")
COLORS = frozenset({"orange"})  # categories whose name mostly means something else in a sentence

EMPTY = "empty descriptions"
BRACES = "descriptions with braces"
CONTROL = "descriptions with control tokens"
LONG = "descriptions that are too long"
REPEATING = "descriptions that repeat themselves"
DENIAL = "descriptions that deny the object"
COORDINATES = "descriptions with coordinates"
CUT = "descriptions that were cut at the limit of tokens"
SHARED = "descriptions of several objects of a picture"
OTHER = "descriptions of another category"
SIDE = "descriptions with a wrong side"

_BEGINNING = re.compile(
    r"^(?:yes, +|in (?:the|this) (?:image|picture|photo),? +)?"
    r"(?:(?:there (?:is|are)|it is|this is"
    r"|(?:the|this) (?:image|picture|photo) (?:shows|features)) +)?",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"^(?:no|not|none|nothing|sorry)\b|\b(?:can(?:no|')t|can not|don't|do not) see\b"
    r"|\b(?:is|are)(?: not|n't) (?:any|an?|visible|present|in the)\b"
)
# <image>, </s>, <|im_end|> and the like, of whatever model
_CONTROL = re.compile(r"</?s>|<\|[^<>\s]+\|>|</?[^\W\d][^<>\s]{2,}>|\[/?inst\]", re.IGNORECASE)
_NUMBERS = re.compile(r"\d[\s,;]+-?\.?\d|\b[xy]\d? *= *\d|<\w*\d>")  # or a token of a location
# What ends the part of a sentence that says what it is about
_TURN = re.compile(
    r"\b(?:is|are|was|has|have|with|on|in|at|of|by|near|next|behind|beside|between|under|over"
    r"|above|below|to|from|that|which|who|and|while|\w{2,}ing|\w{3,}ed)\b"
)
_PICTURE = r"of (?:the|this) (?:image|picture|photo|photograph|scene|frame|shot)\b"
_WHICH = r"(?:far |very |upper |lower |top |bottom )?(left|right)(?:[- ]hand)?"
_IN_PICTURE = re.compile(
    rf"\b(?:on|in|at) the (?:{_WHICH}(?: (?:side|part|half|corner|edge))?"
    rf"|(top|bottom)(?: (?:part|half|edge))?) {_PICTURE}"
)
_ALONE = re.compile(rf"\b(?:on|in) the {_WHICH}(?: side)?(?= *(?:[.,;!]|and\b|$))")
_RELATIVE = re.compile(
    r"\b(?:(left|right) (?:side )?of|(above|below|under|beneath)) (?:the|an?) (\w+(?: \w+)*)"
)
_DIRECTIONS = {"left": (0, -1), "right": (0, 1), "top": (1, -1), "bottom": (1, 1)}
_DIRECTIONS |= {"above": (1, -1)} | dict.fromkeys(("below", "under", "beneath"), (1, 1))


def strip_beginning(answer: str) -> str:
    """A sentence as what a thing may be called: without "There is" and the like, on one line."""
    return _BEGINNING.sub("", one_line(answer))


def find_unusable(text: str) -> str | None:
    """Why neither question nor answer can hold a description; None where they can."""
    if not text.strip(". "):
        return EMPTY
    if not sayable(text):
        return BRACES
    return CONTROL if _CONTROL.search(text) else None


def has_coordinates(text: str) -> bool:
    """Whether a place is said in numbers, or in a token of a location."""
    return _NUMBERS.search(text) is not None


def find_faults(
    image: AnnotatedImage, descriptions: Mapping[int, str], categories: Sequence[str]
) -> dict[int, str]:
    """The descriptions that must not be used, with what is wrong.

    Args:
        image: the picture.
        descriptions: place in ``image.objects`` -> its description.
        categories: all of the data set.
    """
    times = Counter(normalize_phrase(text) for text in descriptions.values())
    found = {}
    for place, text in descriptions.items():
        reason = find_fault(text, image.objects[place], image, tuple(categories))
        if reason is None and times[normalize_phrase(text)] > 1:
            reason = SHARED
        if reason is not None:
            found[place] = reason
    return found


def find_fault(
    text: str, item: Object, image: AnnotatedImage, categories: tuple[str, ...]
) -> str | None:
    """What is wrong with the description of `item`; None where nothing can be told.

    A side of the picture (``on the left``, ``at the top of the image``) and one of another object
    (``to the left of the dog``, where there is one dog) are measured by the centers of the boxes.
    """
    text = text.casefold()
    words = re.findall(r"[^\W_][\w'-]*", text)
    if not words:
        return EMPTY
    if not sayable(text):
        return BRACES
    if len(words) > MAX_WORDS or len(text) > MAX_CHARACTERS:
        return LONG
    if _DENIAL.search(text):
        return DENIAL
    if has_coordinates(text):
        return COORDINATES  # of a frame that nobody knows any more
    if _CONTROL.search(text):
        return CONTROL
    triples = Counter(zip(words, words[1:], words[2:], strict=False))
    if (triples and max(triples.values()) >= TOO_MANY_REPEATS) or _count_mentions(
        item, text, categories
    ) > 1:
        return REPEATING  # what is described is the only one of its category
    if _find_subject(text, categories) not in (None, item.category.casefold()):
        return OTHER
    return SIDE if any(_check_sides(text, item, image, categories)) else None


def _find_subject(text: str, categories: tuple[str, ...]) -> str | None:
    """The category that a sentence is about: the last one before it says more about it."""
    named = list(_category_pattern(categories).finditer(text))
    inside = [range(*found.span()) for found in named]  # a dining table is no turn
    turns = (found.start() for found in _TURN.finditer(text))
    end = next((turn for turn in turns if not any(turn in span for span in inside)), len(text))
    before = [found.group() for found in named if found.start() < end]
    return _category_words(categories)[before[-1]] if before else None


def _count_mentions(item: Object, text: str, categories: tuple[str, ...]) -> int:
    named = _category_pattern(categories).findall(text)
    return sum(_category_words(categories)[word] == item.category.casefold() for word in named)


def _check_sides(
    text: str, item: Object, image: AnnotatedImage, categories: tuple[str, ...]
) -> Iterator[bool]:
    size = (image.width, image.height)
    middle = (image.width / 2, image.height / 2)
    for found in _IN_PICTURE.finditer(text):
        yield _is_opposite(found[1] or found[2], _center(item.box), middle, size)
    for found in _ALONE.finditer(text):
        named = _category_pattern(categories).findall(text, 0, found.start())
        if {_category_words(categories)[word] for word in named} <= {item.category.casefold()}:
            yield _is_opposite(found[1], _center(item.box), middle, size)
    for found in _RELATIVE.finditer(text):
        if (other := _single_object(found[3], image)) is not None and other is not item:
            yield _is_opposite(found[1] or found[2], _center(item.box), _center(other.box), size)


def _is_opposite(
    word: str, center: tuple[float, float], other: tuple[float, float], size: Size
) -> bool:
    """Whether `center` is clearly on the other side of `other` than the word says."""
    axis, sign = _DIRECTIONS[word]
    return sign * (center[axis] - other[axis]) < -SIDE_MARGIN * size[axis]


def _single_object(words: str, image: AnnotatedImage) -> Object | None:
    """The object that the first words name, where there is one of its category."""
    singles = {item.category.casefold(): item for item in image.single_instances()}
    named = [name for name in singles if re.match(rf"{re.escape(name)}\b", words)]
    return singles[max(named, key=len)] if named else None


def _center(box: Box) -> tuple[float, float]:
    return box.center.x, box.center.y


@cache
def _category_words(categories: tuple[str, ...]) -> dict[str, str]:
    """Word -> the category that it means: names in singular and plural, and words for people."""
    names = {name.casefold() for name in categories} - COLORS
    people = dict.fromkeys((*PEOPLE, "people"), "person") if "person" in names else {}
    plurals = {f"{name}{end}": name for name in names for end in ("s", "es")}
    return plurals | people | {name: name for name in names}


@cache
def _category_pattern(categories: tuple[str, ...]) -> re.Pattern[str]:
    """Finds such a word, the longest of those that begin at a place."""
    longest = sorted(_category_words(categories), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest)) or '(?!)'})\b")
