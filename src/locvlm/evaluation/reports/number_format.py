"""How scores and their differences are written, wherever people read them.

A score has a kind (see `Score`): a rate is written in percent, its differences in percentage
points; all else has three decimals.
"""

from __future__ import annotations


def format_number(kind: str, value: float) -> str:
    """``61.3 %`` or ``0.613``."""
    return f"{100 * value:.1f} %" if kind == "rate" else f"{value:.3f}"


def format_size(kind: str, size: float) -> str:
    """How large a difference is, without a sign: ``3.1 points`` or ``0.031``."""
    value = f"{100 * size:.1f}" if kind == "rate" else f"{size:.3f}"
    return value + unit_of(kind)


def format_signed(kind: str, difference: float) -> str:
    """``+3.1`` or ``−0.031``; the unit is `unit_of`. What rounds to 0 has no sign."""
    text = f"{100 * difference:+.1f}" if kind == "rate" else f"{difference:+.3f}"
    return text.replace("-", "−") if text.strip("+-0.") else text.lstrip("+-")


def unit_of(kind: str) -> str:
    """What is written behind a difference; an interval has it once."""
    return " points" if kind == "rate" else ""
