"""How an instruction says where: by the box, by its center, or by either in turn."""

from __future__ import annotations

import random
from typing import Literal

from locvlm.geometry import Box, Location
from locvlm.instructions.base import LocationKind

LocationChoice = Literal["box", "point", "both"]  # both: drawn for each instruction


def draw_kind(choice: LocationChoice, rng: random.Random) -> LocationKind:
    """The kind of one instruction."""
    return rng.choice(("box", "point")) if choice == "both" else choice


def location_of(box: Box, kind: LocationKind) -> Location:
    """The box itself or its center, original pixels."""
    return box if kind == "box" else box.center
