"""Which commands go on, after a stop, where they were: each says so of itself, by `resumable`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

Command = TypeVar("Command", bound=Callable[..., None])
_MARK = "resumes_with"


def resumable(option: str = "") -> Callable[[Command], Command]:
    """Marks a command that goes on when it is given again; its help says so too.

    Args:
        option: the parameter without which it begins anew; "": it always goes on.
    """

    def mark(command: Command) -> Command:
        setattr(command, _MARK, option)
        return command

    return mark


def is_resumable(command: Callable[..., None]) -> bool:
    """Whether a command goes on, perhaps only with one of its options."""
    return hasattr(command, _MARK)


def resumes(call: partial[Any]) -> bool:
    """Whether a command with these arguments, given by name, goes on when it is given again."""
    option: str | None = getattr(call.func, _MARK, None)
    return option == "" or (option is not None and bool(call.keywords.get(option)))
