"""Molmo: ``<point x="61.5" y="40.6" alt="dog">dog</point>``, percent of the picture.

Source: arXiv 2409.17146; github.com/allenai/molmo, `olmo/data/data_formatter.py` (points_to_text:
rounded to one decimal, half to even; ``<points x1="…" y1="…" x2="…" …>`` for several).
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from locvlm.coordinates.dialect import Dialect, Form


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
        x, y = (rf'{axis}[0-9]*\s*=\s*"\s*({cls.number.pattern})\s*"' for axis in "xy")
        # Bounded, so that a text without an end cannot make every point read all of it.
        rest = r'(?:\s+alt="[^"<>]{0,200}">[^<>]{0,200}</points?>)?'
        return rf"(?:<points?\s+)?\b{x}\s+{y}{rest}"

    def _fill(self, form: Form, words: Sequence[str]) -> str:
        label = html.escape(self.label)
        return f'{super()._fill(form, words)} alt="{label}">{label}</point>'
