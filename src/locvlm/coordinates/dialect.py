"""A dialect: the format that one family of models was trained on, declared by its properties.

A family is a row of answers: which number stands for the far edge (`scale`), which is the largest
ever written (`top`), y first or x first (`order`), how numbers are rounded (`rounding`,
`decimals`), where in its bin a number is read (`read_at`), how it all looks (`box`, `point`), and
which picture it is about (`frame`). What numbers look like in a text follows from the forms alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import ClassVar, Literal, NamedTuple

from locvlm.coordinates.base import MARKED, CoordinateFormat, FoundLocation, Kind, Numbers
from locvlm.coordinates.cut_places import add_cut
from locvlm.coordinates.polygons import join_polygons
from locvlm.errors import InputError
from locvlm.geometry import Frame, Size

INTEGER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")  # models also write 12.0 for 12
SHARE = re.compile(r"-?[0-9]+\.[0-9]+|[01]")  # other whole numbers are another format's
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_SYMBOLS = "()[]{},:;"
_FREE = {" ": r"\s*", "><": r">\s*<", '"': "[\"']"}
_WIDE = {"(": "[(（]", ")": "[)）]", "[": r"[\[［【]", "]": r"[\]］】]", ",": "[,，]"}
_GROUP = rf"[(\[（［【]\s*{_NUMBER}(?:\s*[,;，]\s*{_NUMBER})+\s*,?\s*[)\]）］】]"


class Form(NamedTuple):
    """How a kind of location is written: `open`, `body` with {} for every number, `close`."""

    body: str
    open: str = ""
    close: str = ""


class Dialect(CoordinateFormat):
    """The coordinate text of a family of models; a subclass says what it looks like."""

    scale: ClassVar[float]  # the number that stands for the right and the bottom edge
    top: ClassVar[float]  # the largest number that is written; larger ones are clipped to it
    pad: ClassVar[int] = 0  # numbers are filled with zeros to this many characters
    number: ClassVar[re.Pattern[str]] = INTEGER
    box: ClassVar[Form | None] = None  # how a box is written; None: not at all
    point: ClassVar[Form | None] = None
    between: ClassVar[str] = ""  # parts the locations that share one `open` and `close`
    labelled: ClassVar[str] = "{label} {place}"  # how a location is written with its name
    joint: ClassVar[str] = ", "  # between labelled locations
    # Between several places of one name, inside of one `open` and `close`; None: each has its own
    shared: ClassVar[str | None] = None
    key_of: ClassVar[Mapping[Kind, str]] = {}  # of the JSON that it writes; empty: it writes none
    # Whether boxes stand side by side without brackets of their own, as a polygon's corners do
    unbracketed: ClassVar[bool] = False
    # Malformed where it is not part of a location: two or more numbers in brackets.
    stray: ClassVar[str] = _GROUP
    relative_to: ClassVar[Literal["image", "seen"]] = "image"

    forms: ClassVar[Mapping[Kind, Form]]  # those of `box` and `point` that there are

    def __init_subclass__(cls) -> None:
        forms: dict[Kind, Form | None] = {"box": cls.box, "point": cls.point}
        cls.forms = {kind: form for kind, form in forms.items() if form}

    def frame(self, size: Size) -> Frame:
        """The family's own frame for a picture of `size` (width, height), original pixels.

        A dialect of shares needs no more than the picture: squashing it changes no text.
        """
        return Frame.identity(size)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return tuple(self.forms)

    def extent(self, frame: Frame) -> tuple[float, float]:
        return (self.scale, self.scale)

    def largest(self, frame: Frame) -> tuple[float, float]:
        return (self.top, self.top)

    def repr_of(self, kind: Kind) -> str:
        """The text of a location with names for its numbers. Raises InputError as `encode`."""
        if kind not in self.kinds:
            raise InputError(self._without(kind))
        names = ["x1", "y1", "x2", "y2"] if kind == "box" else ["x", "y"]
        if self.order == "yx":
            names = [names[i ^ 1] for i in range(len(names))]
        return self._fill(self.forms[kind], names)

    def write(self, numbers: Numbers) -> str:
        form = next(f for f in self.forms.values() if f.body.count("{}") == len(numbers))
        return self._fill(form, [f"{n:0{self.pad}.{self.decimals}f}" for n in numbers])

    def find(self, text: str) -> Iterator[FoundLocation]:
        found = (
            FoundLocation(match.span(), self.read_numbers([w for w in match.groups() if w]))
            for match in _pattern(type(self)).finditer(text)
        )
        mark = self.box.open if self.box else ""
        whole = join_polygons(text, [*found], mark) if self.unbracketed else found
        yield from add_cut(text, whole)

    def read_numbers(self, words: Sequence[str]) -> Numbers | None:
        """The numbers of words that stand for one location; None where it is none.

        Fractions up to 1 are shares of the picture, which no format of larger numbers writes.
        """
        numbers = tuple(map(float, words))
        if not self.decimals and any("." in word for word in words):
            return numbers if max(map(abs, numbers)) > 1 else None
        return numbers or None

    @classmethod
    def pattern_of(cls, form: Form) -> str:
        """What counts as a `form` in a text; a group for every number.

        Spaces are free around brackets and commas. The marks around a location may be missing, as
        decoders drop special tokens, unless the dialect has something `between` locations.
        """
        number = rf"({cls.number.pattern})"
        body = _trim(number.join(_lenient(part) for part in form.body.split("{}")))
        if cls.between:
            part = re.escape(cls.between)
            start = rf"(?:{_trim(_lenient(form.open))}|(?<={part}))\s*"
            return rf"{start}{body}\s*(?:{_trim(_lenient(form.close))}|(?={part}))"
        start = "".join(rf"(?:{mark}\s*)?" for mark in _marks(form.open))
        return start + body + "".join(rf"(?:\s*{mark})?" for mark in _marks(form.close))

    def _fill(self, form: Form, words: Sequence[str]) -> str:
        return form.open + form.body.format(*words) + form.close


@cache
def _pattern(dialect: type[Dialect]) -> re.Pattern[str]:
    """All forms of a dialect and, where none of them is, what is counted as malformed."""
    forms = [dialect.pattern_of(form) for form in dialect.forms.values()]
    return re.compile("|".join([*forms, dialect.stray, MARKED, _GROUP]))


def _marks(text: str) -> list[str]:
    """The patterns of the tokens and symbols that `text` is made of, each for itself."""
    return [_trim(_lenient(mark)) for mark in re.findall(r"<[^<>]*>|\S", text)]


def _lenient(text: str) -> str:
    """A pattern for `text`: any quotes, free spaces around symbols and between <tokens>."""
    parts = []
    for word in re.findall(r"\s+|><|.", text):
        if word in _SYMBOLS:
            last = r"(?:[,，]\s*)?" if word in ")]" else ""
            parts.append(rf"\s*{last}{_WIDE.get(word) or re.escape(word)}\s*")
        else:
            parts.append(_FREE.get(word[:2]) or re.escape(word))
    return re.sub(r"(?:\\s\*)+", lambda _: r"\s*", "".join(parts))


def _trim(pattern: str) -> str:
    """Without free spaces at its ends: a search would try them anew from each of many spaces."""
    return pattern.removeprefix(r"\s*").removesuffix(r"\s*")
