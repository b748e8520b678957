"""Whether the numbers of a data set can be what they are said to be.

One location may reach out of its picture; where nearly all do, they are in another format.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from locvlm.coordinates import CoordinateFormat, ParseReport
from locvlm.errors import InputError
from locvlm.geometry import Box, Size

NEARLY_ALL = 0.8
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


@dataclass
class Plausibility:
    """Counts the locations of a data set that fit their pictures, and what the numbers look like.

    Args:
        coordinates: the format that they are read in.
        option: the flag that says it, for the message.
    """

    coordinates: CoordinateFormat
    option: str
    locations: int = 0
    clipped: int = 0
    collapsed: int = 0  # of them: boxes of which nothing is left
    in_pixels: int = 0  # all numbers within the picture, in its own pixels
    in_thousands: int = 0  # all numbers up to 1000
    example: str = ""

    def add(self, text: str, report: ParseReport, size: Size) -> None:
        """Count the locations that were read in `text`, of a picture of `size` (width, height)."""
        for place, (start, end), clipped in zip(
            report.locations, report.spans, report.clipped, strict=True
        ):
            self.locations += 1
            if not clipped:
                continue
            numbers = [float(word) for word in _NUMBER.findall(text[start:end])]
            self.clipped += 1
            self.collapsed += isinstance(place, Box) and place.area == 0
            self.in_pixels += all(0 <= n <= size[i % 2] for i, n in enumerate(numbers))
            self.in_thousands += all(0 <= n <= 1000 for n in numbers)
            self.example = self.example or f"{text[start:end][:60]} in {size[0]} x {size[1]} pixels"

    def check(self, source: str) -> None:
        """Raises InputError where nearly all locations reach out of their pictures."""
        few = self.locations == 1 and not self.collapsed
        if few or self.clipped < max(1, NEARLY_ALL * self.locations):
            return
        raise InputError(
            f"{source}: {self.clipped} of {self.locations} locations reach out of their pictures "
            f"as {self.coordinates.name}, {self.collapsed} have no area left ({self.example}); "
            f"{self._likeness()}"
        )

    def _likeness(self) -> str:
        most = NEARLY_ALL * self.clipped
        if self.in_pixels >= most and self.coordinates.name != "pixels":
            return f"the numbers look like pixels of the original picture: {self.option} pixels"
        if self.in_thousands >= most:
            return f"the numbers look like thousandths of it: {self.option} qwen3-vl, or another"
        options = ", ".join(self.coordinates.options)
        hint = f", or its options ({options})" if options else ""
        return f"say how they are written with {self.option}{hint}"
