"""A bar for what takes its time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from rich import progress
from rich.console import Console

T = TypeVar("T")


def track(items: Iterable[T], doing: str) -> Iterable[T]:
    """The items, with a bar on standard error, called `doing`, that is gone at the end.

    Where standard error is a file there is none: rich would leave an empty line in it.
    """
    console = Console(stderr=True)
    hidden = not console.is_interactive and not console.is_jupyter
    return progress.track(items, doing, console=console, transient=True, disable=hidden)
