"""Whether the numbers of a data set can be what they are said to be.

One location may reach out of its picture; where nearly all do, they are in another format.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from locvlm.coordinates import CoordinateFormat, ParseReport
from locvlm.errors import InputError
from locvlm.geometry import Box, Location, Size

NEARLY_ALL = 0.8
MANY, SOME = 3, 0.1  # that prove another frame, where it was assumed: data do not reach beyond it
SLIGHTLY, HUNDRED = 2, 100  # numbers up to these are no pixels, no thousandths
LARGE = 0.1  # of an edge: a data set has a pixel beyond it
OBJECTS = "objects"  # in place of an option: the locations are numbers
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
    beyond: int = 0  # of them: those that reach over the far edges, which other options may move
    in_pixels: int = 0  # all numbers within the picture, in its own pixels
    in_thousands: int = 0  # all numbers up to 1000
    in_shares: int = 0  # all numbers up to 1
    largest_clipped: float = 0  # number of them
    share_of_edge: float = 0  # the largest, as a share of its picture's edge, if it is a pixel
    example: str = ""
    largest: tuple[float, float, float] = (0, 0, 0)  # share of the edge, the number, the edge

    def add(self, text: str, report: ParseReport, size: Size) -> None:
        """Count the locations that were read in `text`, of a picture of `size` (width, height)."""
        for place, (start, end), clipped in zip(
            report.locations, report.spans, report.clipped, strict=True
        ):
            self.locations += 1
            if self.assumption:
                self._compare_to_edge(text[start:end], size)
            if not clipped:
                continue
            numbers = [float(word) for word in _NUMBER.findall(text[start:end])]
            self._add_clipped(place, numbers, text[start:end][:60], size)

    @property
    def assumption(self) -> str:
        """The options that decide what the numbers count; empty where they have none."""
        options = self.coordinates.options
        known = {"bins", "max_pixels", "min_pixels"} & options.keys()
        return ", ".join(f"{name}={options[name]}" for name in sorted(known))

    def tell_assumption(self) -> str:
        """What was assumed and cannot be proven, in one line; empty where nothing was."""
        if not self.assumption or not self.locations:
            return ""
        _, number, edge = self.largest
        return (
            f"{self.coordinates.name} was read with {self.assumption}: the largest number is "
            f"{number:g}, where {edge:g} is the edge; if others hold, say so with {self._setting}"
        )

    @property
    def _setting(self) -> str:
        option = "bins" if "bins" in self.assumption else "max_pixels"
        return f"{'--set' if self.option == '--format' else '--from-set'} {option}=N"

    def _compare_to_edge(self, text: str, size: Size) -> None:
        extent = self.coordinates.extent(self.coordinates.frame(size))
        for place, word in enumerate(_NUMBER.findall(text)[-4:]):
            edge = extent[(place + (self.coordinates.order == "yx")) % 2]
            self.largest = max(self.largest, (float(word) / edge, float(word), edge))

    def add_objects(
        self, boxes: Sequence[Sequence[float]], places: Sequence[Location], size: Size
    ) -> None:
        """Count locations that are numbers: as written, and read but not clipped yet."""
        for box, place in zip(boxes, places, strict=True):
            self.locations += 1
            if place != place.clip(*size) or _are_shares(box):
                self._add_clipped(place.clip(*size), box, str(list(box))[:60], size)

    def _add_clipped(
        self, place: Location, numbers: Sequence[float], text: str, size: Size
    ) -> None:
        self.clipped += 1
        self.collapsed += isinstance(place, Box) and place.area == 0
        self.beyond += min(numbers, default=0) >= 0
        self.largest_clipped = max([self.largest_clipped, *map(abs, numbers)])
        ends = [n / size[i % 2] for i, n in enumerate(numbers)]
        self.share_of_edge = max([self.share_of_edge, *ends])
        self.in_pixels += all(0 <= n <= size[i % 2] for i, n in enumerate(numbers))
        self.in_thousands += all(0 <= n <= 1000 for n in numbers)
        self.in_shares += all(0 <= n <= 1 for n in numbers)
        self.example = self.example or f"{text} in {size[0]} x {size[1]} pixels"

    def check(self, source: str) -> None:
        """Raises InputError where nearly all locations reach out of their pictures."""
        few = self.locations == 1 and not self.collapsed
        nearly_all = self.clipped >= max(1, NEARLY_ALL * self.locations)
        some = self.assumption and self.beyond >= max(MANY, SOME * self.locations)
        if few or not (nearly_all or some):
            return
        raise InputError(
            f"{source}: {self.clipped} of {self.locations} locations reach out of their pictures "
            f"as {self.coordinates.name}, {self.collapsed} have no area left ({self.example}); "
            f"{self._likeness()}{f', or its options: {self._setting}' if self.assumption else ''}"
        )

    def _likeness(self) -> str:
        most = NEARLY_ALL * self.clipped
        if self.option == OBJECTS:
            if self.in_shares >= most:
                return 'they look like shares of it: give the objects "bbox_type": "norm1"'
            return "ms-swift's boxes are x1, y1, x2, y2 in pixels of the original picture"
        if self.in_shares >= most and self.coordinates.name != "nfp":
            return f"the numbers look like shares of the picture: {self.option} nfp"
        if self.largest_clipped <= SLIGHTLY:
            return (
                f"the numbers, up to {self.largest_clipped:g}, look like shares that reach out of "
                "the picture: look how they were made"
            )
        large = self.share_of_edge >= LARGE
        if large and self.in_pixels >= most and self.coordinates.name != "pixels":
            return f"the numbers look like pixels of the original picture: {self.option} pixels"
        if self.largest_clipped > HUNDRED and self.in_thousands >= most:
            return f"the numbers look like thousandths of it: {self.option} qwen3-vl, or another"
        return f"say how they are written with {self.option}"


def _are_shares(box: Sequence[float]) -> bool:
    return max(box, default=2) <= 1 and any(n % 1 for n in box)
