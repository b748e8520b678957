"""What every coordinate format shares: location ⇄ numbers on the format's scale ⇄ text.

A format declares its properties (the scale, the order, the decimals, the rounding, the largest
number, how a number looks) and, if it must, overrides one of the small steps `quantize`,
`numbers_of`, `write` or `find`. The way of a location, out and back:

    original pixels ─Frame.apply─► model pixels ─extent, rounding─► numbers ─write─► text
    original pixels ◄─Frame.invert─ model pixels ◄─extent─ numbers ◄─find─ text

Source of the paper's formats: arXiv 2404.07449.
"""

from __future__ import annotations

import abc
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, NamedTuple

from locvlm.errors import InputError, LocVLMError
from locvlm.geometry import Box, Frame, Location, Size, as_frame, coords_of, location_from
from locvlm.processors import frame_of

Kind = Literal["box", "point"]
# "cell": the cell that a number falls into; of a box's far corner, the last one it reaches into.
Rounding = Literal["half-even", "floor", "cell"]
Numbers = tuple[float, ...]

_NOISE = 1e-6  # model or original pixels: less than this is float arithmetic, not clipping
_ANY_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_GROUP = re.compile(
    rf"(?P<open>[(\[])\s*(?P<body>{_ANY_NUMBER}(?:\s*,\s*{_ANY_NUMBER})+)\s*(?P<close>[)\]])"
)
# How other formats mark locations: what a format cannot read must be counted, not passed over.
_Q = r"""\\*["']?"""  # JSON in a string of JSON has backslashes
_KEY = rf"""{_Q}\b[xX](?:1|_?min){_Q}\s*[:=]\s*"""
_SIDES = rf"{_Q}\bleft{_Q}\s*[:=]\s*"
_X, _Y = (rf"""["']{axis}\\*["']\s*:\s*{_ANY_NUMBER}""" for axis in "xy")
MARKED = (
    r"(?:<loc_?-?[0-9]+>\s*)+|(?:<patch_index_[0-9]+>\s*)+|<points?\b[^<>]{0,200}>"
    rf"|\{{\s*(?:<-?[0-9.]+>[\s|]*)+\}}|{_KEY}{_ANY_NUMBER}[^{{}}\[\]]{{0,80}}?"
    rf"\b[yY](?:2|_?max){_Q}\s*[:=]\s*{_ANY_NUMBER}"
    rf"|{_SIDES}{_ANY_NUMBER}[^{{}}\[\]]{{0,80}}?\b(?:bottom|height){_Q}\s*[:=]\s*{_ANY_NUMBER}"
    rf"|{_X}\s*,\s*\\*{_Y}|\(\s*x\s*=\s*{_ANY_NUMBER}\s*,\s*y\s*=\s*{_ANY_NUMBER}"
)
_ODD_GROUP = (  # brackets of full width, a comma too many
    rf"[（［【]\s*{_ANY_NUMBER}(?:\s*[,，;]\s*{_ANY_NUMBER})+\s*[,，]?\s*[）］】]"
    rf"|[(\[]\s*{_ANY_NUMBER}(?:\s*,\s*{_ANY_NUMBER})+\s*,\s*[)\]]"
)
_GROUP_OR_MARKED = re.compile(f"{_GROUP.pattern}|{_ODD_GROUP}|{MARKED}")


class CoordinateError(LocVLMError, ValueError):
    """A text that is not exactly one location of the format (strict parsing)."""


class FoundLocation(NamedTuple):
    """One candidate in a text: where it stands, and its numbers (None: malformed)."""

    span: tuple[int, int]  # of the text that another location may replace: no brace but its own
    numbers: Numbers | None


@dataclass(slots=True)
class ParseReport:
    """The locations of a text in original pixels, and what had to be repaired or ignored."""

    locations: list[Location]
    spans: list[tuple[int, int]]  # text[start:end] of each location
    n_clipped: int  # locations (kept) that reached out of the picture
    n_malformed: int  # what looks like a location (ignored) and is none of this format
    unread: list[tuple[int, int]] = field(default_factory=list)  # text[start:end] of the malformed
    wholes: list[tuple[int, int]] = field(default_factory=list)  # spans with what belongs to them
    clipped: list[bool] = field(default_factory=list)  # which of the locations were


@dataclass(frozen=True)
class CoordinateFormat(abc.ABC):
    """Writes and reads locations as text; the dataclass fields of a subclass are its options."""

    name: ClassVar[str]
    order: ClassVar[Literal["xy", "yx"]] = "xy"  # which number of a pair comes first
    decimals: ClassVar[int] = 0  # kept in the text
    rounding: ClassVar[Rounding] = "half-even"
    read_at: ClassVar[float] = 0.0  # a number n stands for n + read_at; 0.5: the middle of its bin
    number: ClassVar[re.Pattern[str]]  # how one number of this format looks
    # "image": shares of the whole picture, whatever the processor does with it. "seen": of what
    # the model sees of it, padding included, or the very pixels of that.
    relative_to: ClassVar[Literal["image", "seen"]] = "seen"

    # What happened through this instance: "encode_clipped", "parse_clipped", "parse_malformed".
    counts: Counter[str] = field(
        default_factory=Counter, init=False, repr=False, compare=False, hash=False
    )

    @abc.abstractmethod
    def extent(self, frame: Frame) -> tuple[float, float]:
        """The numbers that stand for the right and bottom edge of the model's picture."""

    def largest(self, frame: Frame) -> tuple[float, float]:
        """The largest numbers ever written; those of the edges, unless a format stops below."""
        return self.extent(frame)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What the format can write."""
        return ("box", "point")

    @property
    def error(self) -> float:
        """How many steps a written number is off at most, away from the far edges."""
        return 0.5 if self.rounding == "half-even" or self.read_at == 0.5 else 1.0

    @property
    def options(self) -> dict[str, Any]:
        """The options to `get` this very format by."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}

    def frame(self, size: Size) -> Frame:
        """The frame that the format's own models see a picture of `size` (width, height) in."""
        return Frame.identity(size)

    def frame_on(self, processor: Any, size: Size) -> Frame:
        """The text frame: in which a model with this processor reads and writes the format.

        The pixels that it sees may be others: `locvlm.processors.frame_of` has their frame.

        Raises InputError where the format is relative to what the model sees, and what this
        processor does to a picture is not known.
        """
        if self.relative_to == "image":
            return self.frame(size)
        return frame_of(processor, size)

    def repr_of(self, kind: Kind) -> str:
        """How the prompt names the format (the ``{repr}`` of the paper's templates)."""
        names = {"box": "(x1,y1,x2,y2) bbox", "point": "(cx,cy) point"}
        if kind not in names:
            raise ValueError(f"kind must be 'box' or 'point', not {kind!r}")
        return names[kind]

    def encode(self, location: Location, frame: Frame | Size) -> str:
        """The text of a location given in original pixels of `frame`.

        What the model cannot see is clipped to its picture and counted in ``counts``. Raises
        InputError for a kind of location that the format cannot write.
        """
        kind: Kind = "box" if isinstance(location, Box) else "point"
        if kind not in self.kinds:
            raise InputError(self._without(kind))
        frame = as_frame(frame)
        there = frame.apply(location)
        seen = there.clip(*frame.model)
        if _was_moved(there, seen, (_NOISE, _NOISE)):
            self.counts["encode_clipped"] += 1
        scaled = _rescale(coords_of(seen), frame.model, self.extent(frame))
        # Nine decimals first: 52.5 must stay a tie when a frame's scale makes it 52.5000000001.
        values = self.quantize(tuple(round(v, 9) for v in scaled))
        most = self.largest(frame)
        return self.write(self.numbers_of(tuple(min(v, most[i % 2]) for i, v in enumerate(values))))

    def parse(self, text: str, frame: Frame | Size, *, strict: bool = False) -> list[Location]:
        """The locations in `text`, in original pixels of `frame`, in the order of the text.

        Lenient, it never raises: it finds every location inside free text, clips what is out of
        range and ignores what is malformed (both counted, see `parse_report`). Strict, `text`
        must be exactly one valid location, else CoordinateError (a ValueError).
        """
        report = self.parse_report(text, frame)
        if strict and not (report.wholes == [(0, len(text))] and not report.n_clipped):
            raise CoordinateError(f"not exactly one {self.name} location: {text[:80]!r}")
        return report.locations

    def parse_report(self, text: str, frame: Frame | Size) -> ParseReport:
        """As lenient `parse`, with the spans and the counts of this very text. Never raises."""
        frame = as_frame(frame)
        report = ParseReport([], [], 0, 0)
        for span, numbers in self.find(text):
            values = None if numbers is None else self.values_of(numbers)
            if values is None or not self._is_location(values):
                report.unread.append(span)
                continue
            location, clipped = self._decode(values, frame)
            report.locations.append(location)
            report.spans.append(span)
            report.wholes.append(self.whole_of(text, span))
            report.clipped.append(clipped)
        report.n_clipped, report.n_malformed = sum(report.clipped), len(report.unread)
        if report.n_clipped or report.n_malformed:
            self.counts["parse_clipped"] += report.n_clipped
            self.counts["parse_malformed"] += report.n_malformed
        return report

    # The steps that a format may override.

    def quantize(self, values: Numbers) -> Numbers:
        """From exact numbers on the format's scale to those that can be written."""
        if self.rounding == "half-even":
            return tuple(round(v, self.decimals) for v in values)
        step = 10**self.decimals
        return tuple(math.floor(v * step) / step for v in values)

    def numbers_of(self, values: Numbers) -> Numbers:
        """From (x, y) or (x1, y1, x2, y2) on the format's scale to the numbers to write."""
        return values if self.order == "xy" else _swap_pairs(values)

    def values_of(self, numbers: Numbers) -> Numbers | None:
        """The inverse of `numbers_of`; None where `numbers` are no location of this format."""
        if len(numbers) not in (2, 4):
            return None
        return numbers if self.order == "xy" else _swap_pairs(numbers)

    def write(self, numbers: Numbers) -> str:
        """The text of the numbers: ``(4,52,13,63)``."""
        return "(" + ",".join(f"{n:.{self.decimals}f}" for n in numbers) + ")"

    def find(self, text: str) -> Iterator[FoundLocation]:
        """All candidates in `text`: two or more numbers with commas, in (…) or […]."""
        for match in _GROUP_OR_MARKED.finditer(text):
            if match["body"] is None:
                yield FoundLocation(match.span(), None)
                continue
            words = [word.strip() for word in match["body"].split(",")]
            paired = match["open"] + match["close"] in ("()", "[]")
            ours = paired and all(self.number.fullmatch(word) for word in words)
            yield FoundLocation(match.span(), tuple(map(float, words)) if ours else None)

    def whole_of(self, text: str, span: tuple[int, int]) -> tuple[int, int]:
        """The span of a location with the braces or tags that hold nothing else."""
        return span

    def _decode(self, values: Numbers, frame: Frame) -> tuple[Location, bool]:
        """Original pixels of numbers on the format's scale; and whether they had to be clipped."""
        extent = self.extent(frame)
        there = location_from(tuple(v + self.read_at for v in values))
        seen = there.clip(*extent)
        model = location_from(_rescale(coords_of(seen), extent, frame.model))
        whole = frame.invert(model)
        kept = whole.clip(*frame.original)
        # A frame with padding can round a border a little way into it: no news, no count.
        slack = [
            self.error * 10**-self.decimals * frame.model[i] / extent[i] / frame.scale[i] + _NOISE
            for i in (0, 1)
        ]
        return kept, seen != there or _was_moved(whole, kept, slack)

    def _is_location(self, values: Numbers) -> bool:
        """Of a kind that the format has, finite (hundreds of digits are not), corners in order."""
        kind: Kind = "box" if len(values) == 4 else "point"
        if kind not in self.kinds or not all(map(math.isfinite, values)):
            return False
        return kind == "point" or (values[0] <= values[2] and values[1] <= values[3])

    def _without(self, kind: Kind) -> str:
        plural = {"box": "boxes", "point": "points"}
        (other,) = self.kinds
        return f"{self.name} writes {plural[other]} only; give a {other}, or choose another format"


def _rescale(coords: Numbers, of: Sequence[float], to: Sequence[float]) -> Numbers:
    """From a picture of size `of` to one of size `to`; multiplied first, to stay exact."""
    return tuple(v * to[i % 2] / of[i % 2] for i, v in enumerate(coords))


def _was_moved(a: Location, b: Location, more_than: Sequence[float]) -> bool:
    pairs = enumerate(zip(coords_of(a), coords_of(b), strict=True))
    return any(abs(u - v) > more_than[i % 2] for i, (u, v) in pairs)


def _swap_pairs(values: Numbers) -> Numbers:
    return tuple(values[i ^ 1] for i in range(len(values)))
