"""Molmo: ``<point x="61.5" y="40.6" alt="dog">dog</point>``, percent of the picture.

Source: arXiv 2409.17146; github.com/allenai/molmo, `olmo/data/data_formatter.py` (points_to_text:
rounded to one decimal, half to even; ``<points x1="…" y1="…" x2="…" …>`` for several).
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from locvlm.coordinates.base import FoundLocation
from locvlm.coordinates.dialect import Dialect, Form

_ATTRIBUTES = re.compile(r"""\bx[0-9]*\s*=\s*["'][^"']*["']\s+y[0-9]*\s*=\s*["'][^"']*["']""")

_TAG = re.compile(r"<points?\s+\Z")
_LABEL = re.compile(r'\s+alt="[^"<>]{0,200}">[^<>]{0,200}</points?>')


@dataclass(frozen=True)
class Molmo(Dialect):
    """``<point x="…" y="…" alt="…">…</point>``, each 0.0 … 100.0. Points only.

    The `label` names what is pointed at, twice; any is read.
    """

    label: str = "object"

    name = "molmo"
    scale = 100
    top = 100
    decimals = 1
    number = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
    point = Form('x="{}" y="{}"', "<point ")
    stray = r"<points?\b[^<>]{0,200}>"

    @classmethod
    def pattern_of(cls, form: Form) -> str:
        x, y = (rf"{axis}[0-9]*\s*=\s*[\"']\s*({cls.number.pattern})\s*[\"']" for axis in "xy")
        # Bounded, so that a text without an end cannot make every point read all of it.
        rest = r'(?:\s+alt="[^"<>]{0,200}">[^<>]{0,200}</points?>)?'
        return rf"(?:<points?\s+)?\b{x}\s+{y}{rest}"

    def find(self, text: str) -> Iterator[FoundLocation]:
        """A location's span is its two attributes alone: the tag around it holds its label."""
        for found in super().find(text):
            inner = _ATTRIBUTES.search(text, *found.span) if found.numbers else None
            span = inner.span() if inner else found.span
            yield FoundLocation(span, found.numbers)

    def whole_of(self, text: str, span: tuple[int, int]) -> tuple[int, int]:
        """The tag with the one point in it."""
        start = _TAG.search(text, max(0, span[0] - 20), span[0])
        end = _LABEL.match(text, span[1])
        return (start.start() if start else span[0], end.end() if end else span[1])

    def _fill(self, form: Form, words: Sequence[str]) -> str:
        label = html.escape(self.label)
        return f'{super()._fill(form, words)} alt="{label}">{label}</point>'
