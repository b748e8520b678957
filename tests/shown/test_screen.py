"""A name in brackets is a name."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.table import Table
from rich.text import Text

from locvlm.shown.screen import Screen, escape_markup

NAMES = ("m[/b]", "[red]x", "[link=http://x]y", ":dog:", "\x1b[2J", "a\x9b", "[bold]\\")


@pytest.mark.parametrize("name", NAMES)
def test_names_stand_as_they_are(name: str) -> None:
    out = StringIO()
    screen = Screen(file=out, width=80, force_terminal=True, color_system=None)
    table = Table(name, title=name, caption=name)
    table.add_row(name)
    screen.print(name)
    screen.print(table)
    seen = name.replace("\x1b", r"\x1b").replace("\x9b", r"\x9b")
    plain = Text.from_ansi(out.getvalue()).plain
    assert plain.count(seen) == 5
    assert "\x1b[2J" not in out.getvalue()


@pytest.mark.parametrize("name", NAMES[:-1])
def test_what_reads_markup_reads_none(name: str) -> None:
    seen = name.replace("\x1b", r"\x1b").replace("\x9b", r"\x9b")
    assert Text.from_markup(escape_markup(name), emoji=False).plain == seen
