"""Lines for the terminal: control characters are shown, and not obeyed."""

from __future__ import annotations

import re
import sys
from typing import Any, TextIO

import msgspec

LONGEST_ERROR = 4000  # characters
# Controls of old and of 8 bits but for the tab, ends of lines and paragraphs, what turns the
# direction of writing around, and halves of characters, which no terminal can be sent.
_TURNS = "\u2028\u2029\u202a-\u202e\u2066-\u2069"
_CONTROLS = re.compile(f"[\x00-\x08\x0a-\x1f\x7f-\x9f{_TURNS}\ud800-\udfff]")
_IN_JSON = re.compile(f"[\x7f-\x9f{_TURNS}]")
_SHORT = {"\n": r"\n", "\r": r"\r"}


def show_line(text: object) -> str:
    r"""Any text as one line that a terminal shows as it is.

    >>> show_line("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return _CONTROLS.sub(_spell, str(text))


def show_lines(text: object) -> str:
    """As `show_line`, of a text that may have several lines."""
    return "\n".join(_CONTROLS.sub(_spell, line) for line in re.split("\r?\n", str(text)))


def say(*lines: object, file: TextIO | None = None) -> None:
    """Print each as a line; `file` is standard output if not given."""
    print(*map(show_line, lines), sep="\n", file=file)


def say_text(text: object) -> None:
    """Print a text that may have several lines."""
    print(show_lines(text))


def say_json(value: Any) -> None:
    """Print a value as JSON in one line: its strings have no control characters."""
    text = msgspec.json.encode(value).decode()
    print(_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def say_error(reason: str) -> None:
    """Print why a command ended, in one line on standard error."""
    words = shorten(" ".join(reason.split()), LONGEST_ERROR)
    say(f"locvlm: error: {words}", file=sys.stderr)


def shorten(text: str, most: int = 120) -> str:
    """Cut in its middle to at most so many characters: what matters stands at one end or another.

    >>> shorten("abcdefghijklmnop", 9)
    'abc … nop'
    """
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[:half]} … {text[-half:]}"


def _spell(found: re.Match[str]) -> str:
    code = ord(found[0])
    return _SHORT.get(found[0]) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
