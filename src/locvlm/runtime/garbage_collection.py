"""Python's cyclic garbage collector, out of the way where millions of objects are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def pause_collection() -> Iterator[None]:
    """No collections meanwhile.

    For code whose objects hold each other in no cycles: those are freed by their counts alone, and
    each collection would walk all that are alive, a quarter of the time of a large build.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
