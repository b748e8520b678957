"""How figures are written: the same on the terminal and on the page."""

from __future__ import annotations

from locvlm.annotations.splits import ALL
from locvlm.evaluation.proof.changes import STEP
from locvlm.evaluation.proof.structure import LEAST, Figure, TaskProof
from locvlm.evaluation.reports.number_format import format_number, format_signed, unit_of


def format_score(name: str) -> str:
    """``left-right, direct, strict accuracy``: the groups of a score, then its own name."""
    return name.replace("/", ", ")


def format_change(figure: Figure) -> str:
    """``21.0 % → 42.0 %``."""
    return " → ".join(format_number(figure.kind, value) for value in (figure.base, figure.tuned))


def format_difference(figure: Figure) -> str:
    """With its sign; of a rate in percentage points."""
    return f"{format_signed(figure.kind, figure.difference)}{unit_of(figure.kind)}"


def format_interval(figure: Figure) -> str:
    """The 95 % interval of the difference; of too few images, or where none differs, none."""
    if figure.images < LEAST:
        return "too few"
    if not (figure.changed or figure.low or figure.high):
        return "none differs"
    return " … ".join(format_signed(figure.kind, edge) for edge in (figure.low, figure.high))


def format_sign(figure: Figure) -> str:
    """``▲`` or ``▼`` where the interval leaves out 0, else nothing."""
    return ("▲" if figure.low > 0 else "▼") if figure.excludes_zero else ""


def count(number: int, what: str) -> str:
    """``1 photo``, ``2 photos``."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def describe_asked(task: TaskProof) -> str:
    """What was asked: ``locate: 19 questions about 7 photos of shop, split val.``."""
    images = count(task.images, "clip" if task.clips else "photo")
    asked = f"{task.task}: {count(task.questions, 'question')} about {images} of {task.data}"
    split = {"": "", ALL: ", all splits"}.get(task.split, f", split {task.split}")
    return f"{asked}{split}."


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
