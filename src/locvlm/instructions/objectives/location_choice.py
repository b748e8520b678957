"""How an instruction says where: by the box, by its center, or by either in turn."""

from __future__ import annotations

import random
from typing import Literal

from locvlm.geometry import Box, Location
from locvlm.instructions.base import Kind

Places = Literal["box", "point", "both"]  # both: drawn for each instruction


def draw_kind(kind: Places, rng: random.Random) -> Kind:
    """The kind of one instruction."""
    return rng.choice(("box", "point")) if kind == "both" else kind


def place(box: Box, kind: Kind) -> Location:
    """The box itself or its center, original pixels."""
    return box if kind == "box" else box.center
