"""What is said of a key that a recipe does not have: the nearest that it has."""

from __future__ import annotations

import re
from difflib import get_close_matches

import msgspec

from locvlm.training.augment import Augment, Color, Crop
from locvlm.training.recipe import (
    LoraSettings,
    Parts,
    Recipe,
    Reinforce,
    Rewards,
    Stage,
    Validation,
)

_UNKNOWN = re.compile(r"unknown field `([^`]*)`(?: - at `\$(?:\.\w+)*?\.?(\w*)`)?$")
_BELOW: dict[str, type[msgspec.Struct]] = {
    "lora": LoraSettings,
    "parts": Parts,
    "augment": Augment,
    "crop": Crop,
    "color": Color,
    "reinforce": Reinforce,
    "rewards": Rewards,
    "validation": Validation,
}


def suggest_key(message: str, whole: type[msgspec.Struct]) -> str:
    """An error of msgspec, with what may have been meant where a key is unknown.

    Args:
        message: of the error.
        whole: what was being read: `Recipe` or `Stage`.
    """
    found = _UNKNOWN.search(message)
    if found is None:
        return message
    key, below = found.groups()
    keys = _BELOW.get(below or "", whole).__struct_fields__
    if near := get_close_matches(key, keys):
        return f"{message}; did you mean {' or '.join(near)}?"
    if not below:
        other, where = (
            (Stage, "a key of a stage") if whole is Recipe else (Recipe, "outside the stages")
        )
        if near := get_close_matches(key, other.__struct_fields__, 1, 0.8):
            return f"{message}; {near[0]} is {where}"
    return f"{message}; known: {', '.join(keys)}"
