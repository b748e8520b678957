"""What cannot be asked, told in one line."""

from __future__ import annotations

from locvlm.errors import InputError
from locvlm.geometry import Box, Location, Size, coords_of
from locvlm.instructions.visible import touches

ROUNDING = 1.0  # pixels that a given location may reach out of the picture


def require_text(text: str, name: str) -> None:
    """Raises InputError where it is empty; `name` says what it is."""
    if not text.strip():
        raise InputError(f"{name} is empty; name an object or ask a question")


def require_inside(location: Location, size: Size) -> None:
    """Raises InputError where it is not in a picture of `size` (width, height), in its pixels.

    Other pixels than the picture's are the most common mistake: so it is not clipped.
    """
    if isinstance(location, Box) and max(location.x2, location.y2) <= 1 and location.area < 1:
        numbers = ",".join(f"{number:g}" for number in coords_of(location))
        raise InputError(
            f"location {numbers} lies within one pixel: it looks like shares of the picture; give "
            f"it in its pixels ({size[0]} x {size[1]}, as displayed)"
        )
    clipped = coords_of(location.clip(*size))
    if any(abs(a - b) > ROUNDING for a, b in zip(coords_of(location), clipped, strict=True)):
        numbers = ",".join(f"{number:g}" for number in coords_of(location))
        raise InputError(
            f"location {numbers} reaches out of the {size[0]} x {size[1]} picture; "
            "give it in the pixels of the picture as displayed"
        )


def require_seen(location: Location, part: Box | None) -> None:
    """Raises InputError where nothing of it is in the `part` of the picture that the model sees.

    None: the model sees all of it. A text would say the border of that part.
    """
    if part is None or touches(location, part):
        return
    numbers, seen = (",".join(f"{n:g}" for n in coords_of(it)) for it in (location, part))
    raise InputError(
        f"location {numbers} lies outside of what the model sees of the picture, {seen}: its "
        "processor crops; cut out the part of the picture that you mean, and give that"
    )
