"""What an objective asked of a data set, and what it left out: a row of the table of a build."""

from __future__ import annotations

import msgspec


class LeftOut(msgspec.Struct, frozen=True):
    """Such as: 28 of 103 objects, since their picture holds several of the kind."""

    count: int
    of: int  # that there are
    what: str  # objects, pictures, …
    why: str

    def __str__(self) -> str:
        return f"{self.count:,} of {self.of:,} {self.what}: {self.why}"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What an objective asked. Crowds, and objects beyond the limits, are not among `left_out`."""

    questions: int
    present: int  # questions about things that are there
    absent: int  # and about those that are not; the others are about no one category
    images: int  # with at least one question
    categories: int  # that are asked about
    left_out: tuple[LeftOut, ...] = ()
