"""Text in Markdown: in a line, in a table's cell, as code."""

from __future__ import annotations

import re
from collections.abc import Sequence

from locvlm.shown.terminal import shorten, show_line

LONGEST = 2000  # characters of an answer
# What would be marks; no mark is a low line inside a word, a footnote's [1], the & of "A & B"
_MARK = re.compile(
    r"[\\`*|<>#~]|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])|\[(?!\d+\](?![(\[:]))|(?<!\d)\]|\](?=[(\[:])"
)


def escape_markdown(text: object, most: int = LONGEST) -> str:
    """Any text on one line of Markdown or in a cell of a table, its own marks shown as they are.

    Args:
        text: what is shown.
        most: characters of it; longer ones are cut in their middle.
    """
    line = show_line(shorten(" ".join(str(text).split()), most))
    return _MARK.sub(r"\\\g<0>", line)


def mark_code(text: object) -> str:
    """Any text as code in a line or a cell: marks stand for themselves there, but for two."""
    line = show_line(" ".join(str(text).split()))
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    space = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{space}{line}{space}{fence}".replace("|", r"\|")


def format_rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are Markdown, which `escape_markdown` and `mark_code` make of text."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
