"""Texts of official files, as they can be asked."""

from __future__ import annotations

from locvlm.errors import InputError
from locvlm.io.reading import one_line, quote, sayable


def clean_text(text: str, place: str) -> str:
    """`text` on one line. Raises InputError where there is none, or braces are in it."""
    words = one_line(text)
    if not sayable(words):
        raise InputError(f"{place}: {quote(text)} cannot be asked; give text without braces")
    return words
