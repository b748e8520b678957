"""What a tuning is doing, since when, and how long it should take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from locvlm.shown.screen import Screen

now = time.monotonic


class StepTimer:
    """Announces the steps of a tuning on a console, and counts its time from when it was made.

    Args:
        screen: the console.
        spent: seconds that the tuning took before, where it goes on.
    """

    def __init__(self, screen: Screen, spent: float = 0.0):
        self.screen = screen
        self.began = now() - spent

    @property
    def seconds(self) -> float:
        """Of the tuning so far."""
        return now() - self.began

    @contextmanager
    def part(self, title: str, expected: float | None = None) -> Iterator[None]:
        """One step, whose time is told before (as `expected`, seconds) and after it."""
        self.screen.rule(title)
        if expected is not None:
            self.screen.print(f"expected: {format_seconds(expected)}")
        began = now()
        yield
        expectation = "" if expected is None else f" (expected: {format_seconds(expected)})"
        took = f"took {format_seconds(now() - began)}{expectation}"
        self.screen.print(f"{took}; {format_seconds(self.seconds)} since the start")


def format_seconds(seconds: float) -> str:
    """Such as ``2 min 05 s``.

    >>> format_seconds(4.2), format_seconds(125)
    ('4 s', '2 min 05 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
