"""Tables and coloured lines: rich, to which a name in brackets is a name and not a colour."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from locvlm.shown.terminal import show_line, show_lines


class Screen(Console):
    """A console that reads no markup and no emoji in what it is given, and obeys no controls.

    Args:
        highlight: whether numbers and such are coloured.
        stderr: of standard error, not standard output.
        settings: others of rich's console.
    """

    def __init__(self, *, highlight: bool = True, stderr: bool = False, **settings: Any):
        super().__init__(highlight=highlight, stderr=stderr, markup=False, emoji=False, **settings)

    def render_str(self, text: str, **how: Any) -> Text:
        """The text, as `show_lines` has it; every cell, title and line comes here."""
        return super().render_str(show_lines(text), **how | {"markup": False, "emoji": False})


def escape_markup(text: str) -> str:
    """A line for what reads markup wherever it is shown: bars, and what is said beside them."""
    return escape(show_line(text))
