"""Bars for what takes its time: on standard error, and gone at the end.

Where standard error is a file there is none: rich would leave an empty line in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TypeVar

from rich import progress

from locvlm.shown.screen import Screen, escape_markup

T = TypeVar("T")


def track(items: Iterable[T], doing: str) -> Iterable[T]:
    """The items, with a bar called `doing`."""
    console = Screen(stderr=True)
    return progress.track(
        items, escape_markup(doing), console=console, transient=True, disable=_is_hidden(console)
    )


@contextmanager
def count_progress(total: int, doing: str, done: int = 0) -> Iterator[Callable[[int], None]]:
    """A bar called `doing`, and what moves it on by so many of the `total`, from any thread.

    `done` were done before, by a run that was stopped: they do not count as speed.
    """
    console = Screen(stderr=True)
    columns = progress.Progress.get_default_columns()
    with progress.Progress(
        *columns, console=console, transient=True, disable=_is_hidden(console)
    ) as bar:
        shown = bar.add_task(escape_markup(doing), total=total, completed=done)
        yield partial(bar.advance, shown)


@contextmanager
def show_status(doing: str) -> Iterator[None]:
    """A line that says what is `doing`, where there is nothing to count."""
    console = Screen(stderr=True)
    with nullcontext() if _is_hidden(console) else console.status(escape_markup(doing)):
        yield


def _is_hidden(console: Screen) -> bool:
    return not console.is_interactive and not console.is_jupyter
