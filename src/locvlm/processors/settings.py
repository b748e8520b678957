"""The sizes among a processor's settings. Nothing of transformers is imported to read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from locvlm.errors import InputError
from locvlm.geometry import Size


def setting(processor: Any, name: str) -> dict[str, int]:
    """A size setting as a plain dict; transformers has ints, dicts and its own `SizeDict`."""
    value = getattr(processor, name, None)
    if value is None:
        return {}
    if isinstance(value, int):
        return {"height": value, "width": value}
    pairs = value.items() if isinstance(value, Mapping) else iter(value)
    return {key: int(number) for key, number in pairs if number is not None}


def width_height(processor: Any, size: Mapping[str, int]) -> Size:
    """(width, height) of a size setting. Raises InputError where it has none."""
    if not (size.get("width") and size.get("height")):
        raise InputError(
            f"{type(processor).__name__}: cannot tell the model's image size from {dict(size)}; "
            "give its size (and crop_size) a width and a height"
        )
    return size["width"], size["height"]
