"""The single commands that a tuning stands for, as one types them."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from locvlm.shown.screen import Screen

SCREEN = Screen(highlight=False)


def format_line(*words: object) -> str:
    """``locvlm`` with these words, quoted for a shell; paths as seen from the working folder.

    >>> format_line("train", "a recipe.yaml", "--set", "seed=1")
    "locvlm train 'a recipe.yaml' --set seed=1"
    """
    return shlex.join(["locvlm", *(_show(word) for word in words)])


def print_line(line: str, screen: Screen = SCREEN) -> None:
    """As a line that can be copied whole."""
    screen.print(f"  $ {line}", soft_wrap=True, markup=False)


def shorten_path(path: Path | str) -> str:
    """The path from the working folder where that is below it, or else as it is."""
    try:
        near = os.path.relpath(path)
    except ValueError:  # on another drive
        return str(path)
    return str(path) if near.startswith("..") else near


def _show(word: object) -> str:
    return shorten_path(word) if isinstance(word, Path) and word.is_absolute() else str(word)
