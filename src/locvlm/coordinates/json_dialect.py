"""Dialects that write JSON: locations are found by their keys, and replaced inside their braces.

A location's span is its value alone, ``[341, 258, 397, 360]``: the brace before a key may hold a
label as well, and what stands there is not ours. As models answer, so it is read: any quotes or
none, lists in lists, numbers with a fraction, brackets of full width, corners as ``x1 … y2``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from itertools import pairwise
from typing import ClassVar

from locvlm.coordinates.base import MARKED, FoundLocation, Kind, Numbers
from locvlm.coordinates.dialect import Dialect

NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_OPEN, _CLOSE = "[\\[(［【（]", "[\\])］】）]"
_COMMA = r"(?:\s*[,，;]\s*|\s+)"
_LIST = re.compile(rf"{_OPEN}\s*{NUMBER}(?:{_COMMA}{NUMBER})+\s*,?\s*{_CLOSE}")
_ANY_LIST = re.compile(rf"""\[[^\[\]{{}}]*\]?|(["'])\s*{NUMBER}(?:{_COMMA}{NUMBER})+\s*\1""")
_PART = re.compile(r"\s*,\s*")
_NUMBER = re.compile(NUMBER)
_KEYED = re.compile(r"""\b([A-Za-z][A-Za-z0-9_ -]{0,30}+)\\*["']?\s*[:：]\s*""")
_KEY_BEFORE = re.compile(r"""([A-Za-z][A-Za-z0-9_ -]{0,30})\\*["']?\s*:[\s\[]*\Z""")
_OWN_KEY = re.compile(r"""\{\s*["']?[A-Za-z0-9_ -]{1,31}["']?\s*:\s*\Z""")
_QUOTE = re.compile(r"""\\*["']?\s*""")
_OWN_END = re.compile(r"\s*,?\s*\}")
_CORNERS = [
    [f"{axis}{number}" for number in (1, 2) for axis in "xy"],
    [f"{axis}{end}" for end in ("min", "max") for axis in "xy"],
]
_CORNER = re.compile(
    rf"""\\*["']?\b([xy](?:[12]|_?min|_?max))\\*["']?\s*[:=]\s*\\*["']?({NUMBER})(?:\\*["'])?""",
    re.IGNORECASE,
)
_MEMBER_OPEN = re.compile(r"""["']\s*:\s*(\{\s*)\Z""")
_CLOSE_MEMBER = re.compile(r"\s*\}")
_LAST_CORNER = re.compile(r"[yY](?:2|_?[mM][aA][xX])")
BOX_KEYS = frozenset(
    {"bbox", "box", "boxes", "bboxes", "boundingbox", "boundingboxes", "rect", "bbox2d", "box2d"}
)
POINT_KEYS = frozenset({"point", "points", "point2d", "click"})
BOTH_KEYS = frozenset({"coordinates", "coordinate", "coords", "location", "position"})
OTHER_KEYS = frozenset(  # of four numbers that are no corners
    {"mask", "polygon", "poly", "segmentation", "keypoints", "xywh", "color", "colour", "rgba"}
)
NATIVE_KEYS = frozenset({"bbox2d", "box2d", "point2d"})  # of dialects with orders of their own


class JsonDialect(Dialect):
    """A dialect that writes JSON with a key of its own; `key_of` names the keys."""

    key_of: ClassVar[Mapping[Kind, str]]
    bare: ClassVar[tuple[int, ...]] = (4,)  # how many numbers a list without a key may have

    def find(self, text: str) -> Iterator[FoundLocation]:
        """By their keys; where no key is known, lists of four numbers, which are boxes.

        Beside keys, such lists in free text are counted, not read.
        """
        found = [*self._find_keyed(text)]
        keyed = any(each.numbers for each in found)
        found += self._find_bare(text, [each.span for each in found], keyed)
        yield from sorted(found, key=lambda each: each.span)

    def whole_of(self, text: str, span: tuple[int, int]) -> tuple[int, int]:
        """The object that holds the location and nothing else."""
        start = _OWN_KEY.search(text, max(0, span[0] - 60), span[0])
        end = _OWN_END.match(text, span[1])
        return (start.start(), end.end()) if start and end else span

    def _find_keyed(self, text: str) -> Iterator[FoundLocation]:
        own = _own_keys(type(self))
        done = 0
        for match in _KEYED.finditer(text):
            key = squeeze(match[1])
            kinds = _kinds_of(key)
            if not kinds or match.start() < done:
                continue
            readable = key not in NATIVE_KEYS or key in own
            for found in self._values(text, match.end(), kinds):
                yield found if readable else found._replace(numbers=None)
                done = found.span[1]
        yield from _find_corners(self, text)

    def _values(self, text: str, start: int, kinds: frozenset[Kind]) -> Iterator[FoundLocation]:
        """The locations of a member whose value begins at `start`."""
        spans, opened = _lists_at(text, start)
        words = [_NUMBER.findall(text[a:b]) for a, b in spans]
        if opened and "box" in kinds and [len(each) for each in words] == [2, 2]:
            spans, words = [(spans[0][0], spans[1][1])], [words[0] + words[1]]  # two corners
        for span, each in zip(spans, words, strict=True):
            kind: Kind = "box" if len(each) == 4 else "point"
            fits = len(each) in (2, 4) and kind in kinds
            yield FoundLocation(span, self.read_numbers(each) if fits else None)
        broken = None if spans else _ANY_LIST.match(text, start)
        if broken and any(character.isdigit() for character in broken[0]):
            yield FoundLocation(broken.span(), None)

    def _find_bare(
        self, text: str, taken: list[tuple[int, int]], keyed: bool
    ) -> Iterator[FoundLocation]:
        if not _may_hold_more(text, taken):  # nearly all texts: told faster
            return
        for match in _BARE.finditer(text):
            if any(start < match.end() and match.start() < end for start, end in taken):
                continue
            if keyed:
                if not _is_of_other(text, match):
                    yield FoundLocation(match.span(), None)
                continue
            key = _KEY_BEFORE.search(text, max(0, match.start() - 60), match.start())
            words = _NUMBER.findall(match[0])
            listed = _LIST.fullmatch(match[0]) is not None
            if key and squeeze(key[1]) in OTHER_KEYS:
                continue
            ours = listed and len(words) in self.bare and match[0][0] not in "(（"
            yield FoundLocation(match.span(), self.read_numbers(words) if ours else None)


_BARE = re.compile(f"{_LIST.pattern}|{MARKED}")
_NUMBER_OR_MARK = re.compile("[0-9<]")
_NO_KEYS_NUMBER = re.compile("[^A-Za-z_0-9][0-9]|<")
_LEADING_QUOTE = re.compile(r"""\\*["']""")


def _may_hold_more(text: str, taken: list[tuple[int, int]]) -> bool:
    """Whether there is any number, but those of keys, outside of the places `taken`."""
    if not taken:
        return _NUMBER_OR_MARK.search(text) is not None
    taken = sorted(taken)
    ends = [0, *(end for _, end in taken)]
    starts = [*(start for start, _ in taken), len(text)]
    return any(
        _NO_KEYS_NUMBER.search(text, a, b) for a, b in zip(ends, starts, strict=True) if a < b
    )


def _is_of_other(text: str, match: re.Match[str]) -> bool:
    """Whether numbers beside locations with keys are another member's, or no box."""
    if _LIST.fullmatch(match[0]) and len(_NUMBER.findall(match[0])) != 4:
        return True
    before = text[max(0, match.start() - 60) : match.start()]
    return before.rstrip(" \n\t,")[-1:] in ("[", "]") or _KEY_BEFORE.search(before) is not None


@lru_cache(4096)  # answers have few keys, again and again
def squeeze(key: str) -> str:
    """A key as it is compared: ``bbox_2D`` and ``bbox-2d`` are one."""
    return re.sub(r"[^a-z0-9]", "", key.lower())


@cache
def _own_keys(dialect: type[JsonDialect]) -> frozenset[str]:
    return frozenset(map(squeeze, dialect.key_of.values()))


@lru_cache(4096)
def _kinds_of(key: str) -> frozenset[Kind]:
    kinds: set[Kind] = set()
    if key in BOX_KEYS | BOTH_KEYS:
        kinds.add("box")
    if key in POINT_KEYS | BOTH_KEYS:
        kinds.add("point")
    return frozenset(kinds)


def _lists_at(text: str, start: int) -> tuple[list[tuple[int, int]], int]:
    """The lists of numbers of a value that begins at `start`; and how many lists hold them."""
    opened = 0
    quote = _QUOTE.match(text, start)
    assert quote is not None
    place = quote.end()
    while opened < 3 and not _LIST.match(text, place) and text[place : place + 1] == "[":
        opened += 1
        place = len(text) - len(text[place + 1 :].lstrip()) if place + 1 < len(text) else place + 1
    spans = []
    while match := _LIST.match(text, place):
        spans.append(match.span())
        part = _PART.match(text, match.end()) if opened else None
        if part is None:
            break
        place = part.end()
    return spans, opened


def lead_of(text: str, span: tuple[int, int], key: str = "bbox_2d") -> str:
    """What a place needs before it where a box stood as four members: a key of its own."""
    if len(_CORNER.findall(text, *span)) != 4 or not _CORNER.match(text, *span):
        return ""
    quote = _LEADING_QUOTE.match(text, *span)
    mark = quote[0] if quote else '"'
    return f"{mark}{key}{mark}: "


def _find_corners(dialect: Dialect, text: str) -> Iterator[FoundLocation]:
    """Boxes as four members, ``"x1": 10, "y1": 20, "x2": 30, "y2": 40``, in any order."""
    if not _LAST_CORNER.search(text):  # nearly all texts: told faster
        return
    matches = list(_CORNER.finditer(text))
    place = 0
    while place + 4 <= len(matches):
        four = matches[place : place + 4]
        named = {re.sub(r"_", "", match[1].lower()): match[2] for match in four}
        between = [text[a.end() : b.start()] for a, b in pairwise(four)]
        order = next((names for names in _CORNERS if set(names) == set(named)), None)
        if order is None or any(part.strip() not in (",", "") for part in between):
            place += 1
            continue
        words = [named[name] for name in order]
        numbers: Numbers | None = dialect.read_numbers(words)
        if numbers and dialect.order == "yx":
            numbers = tuple(numbers[i ^ 1] for i in range(4))  # the names say which is which
        yield FoundLocation(_with_braces(text, four[0].start(), four[3].end()), numbers)
        place += 4


def _with_braces(text: str, start: int, end: int) -> tuple[int, int]:
    """Of four members that are all of an object, and this is a value: the object."""
    opened = _MEMBER_OPEN.search(text, max(0, start - 40), start)
    closed = _CLOSE_MEMBER.match(text, end)
    return (opened.start(1), closed.end()) if opened and closed else (start, end)
