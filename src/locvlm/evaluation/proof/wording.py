"""How figures are written: the same on the terminal and on the page."""

from __future__ import annotations

from locvlm.evaluation.proof.changes import STEP
from locvlm.evaluation.proof.structure import LEAST, Figure, TaskProof
from locvlm.evaluation.reports.number_format import format_number, format_signed, unit_of


def format_change(figure: Figure) -> str:
    """``21.0 % → 42.0 %``."""
    return " → ".join(format_number(figure.kind, value) for value in (figure.base, figure.tuned))


def format_difference(figure: Figure) -> str:
    """With its sign; of a rate in percentage points."""
    return f"{format_signed(figure.kind, figure.difference)}{unit_of(figure.kind)}"


def format_interval(figure: Figure) -> str:
    """The 95 % interval of the difference; of too few images there is none."""
    if figure.images < LEAST:
        return "too few"
    return " … ".join(format_signed(figure.kind, edge) for edge in (figure.low, figure.high))


def format_sign(figure: Figure) -> str:
    """``▲`` or ``▼`` where the interval leaves out 0, else nothing."""
    return ("▲" if figure.low > 0 else "▼") if figure.excludes_zero else ""


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
