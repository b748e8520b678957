"""How figures are written: the same on the terminal and on the page."""

from __future__ import annotations

from locvlm.evaluation.proof.changes import STEP
from locvlm.evaluation.proof.structure import LEAST, Figure, TaskProof


def format_value(figure: Figure, value: float) -> str:
    """A rate in percent, all else with three decimals."""
    return f"{100 * value:.1f} %" if figure.kind == "rate" else f"{value:.3f}"


def format_change(figure: Figure) -> str:
    """``21.0 % → 42.0 %``."""
    return f"{format_value(figure, figure.base)} → {format_value(figure, figure.tuned)}"


def format_difference(figure: Figure) -> str:
    """With its sign; of a rate in percentage points."""
    return f"{_signed(figure, figure.difference)}{unit_of(figure)}"


def format_interval(figure: Figure) -> str:
    """The 95 % interval of the difference; of too few images there is none."""
    if figure.images < LEAST:
        return "too few"
    return f"{_signed(figure, figure.low)} … {_signed(figure, figure.high)}"


def format_sign(figure: Figure) -> str:
    """``▲`` or ``▼`` where the interval leaves out 0, else nothing."""
    return ("▲" if figure.low > 0 else "▼") if figure.excludes_zero else ""


def format_size(figure: Figure, size: float) -> str:
    """How large a difference is, without a sign."""
    value = f"{100 * size:.1f}" if figure.kind == "rate" else f"{size:.3f}"
    return value + unit_of(figure)


def unit_of(figure: Figure) -> str:
    """Of a difference."""
    return " points" if figure.kind == "rate" else ""


def count(number: int, what: str) -> str:
    """``1 photo``, ``2 photos``."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def describe_changes(task: TaskProof) -> str:
    """How many answers changed, and for better or worse."""
    changes = task.changes
    iou = any(table.measure == "mean IoU" for table in task.tables) or "mean IoU" in {
        figure.name for figure in task.scores
    }
    step = f" (by an IoU of at least {STEP})" if iou else ""
    return (
        f"{changes.answers:,} of {changes.questions:,} answers changed; {changes.better:,} are "
        f"better and {changes.worse:,} worse{step}."
    )


def _signed(figure: Figure, value: float) -> str:
    text = f"{100 * value:+.1f}" if figure.kind == "rate" else f"{value:+.3f}"
    return text.replace("-", "−") if text.strip("+-0.") else text.lstrip("+-")
