"""What the figures of a proof do not say."""

from __future__ import annotations

from collections.abc import Sequence

from locvlm.evaluation.proof.structure import LEAST, TaskProof


def state_limits(tasks: Sequence[TaskProof]) -> list[str]:
    """Sentences that belong below every proof."""
    figures = [figure for task in tasks for figure in task.scores]
    figures += [row for task in tasks for table in task.tables for row in table.rows]
    figures = [figure for figure in figures if figure.images >= LEAST]
    shown = sum(figure.excludes_zero for figure in figures)
    chance = max(1, round(0.05 * len(figures)))
    many = (
        f"{len(figures)} intervals are shown, and {shown} of them leave out 0. Between equal "
        f"models about {chance} would, by chance alone: a single category that stands out proves "
        "little."
    )
    return [
        "Intervals (95 %) are over photos: they say how far other photos of the same kind could "
        "lead to other figures. They are of these two models: how far another training run, with "
        "another seed, would be from this one they do not say.",
        *([many] if figures else []),
        f"No interval is given for fewer than {LEAST} photos, and a verdict of better or worse "
        f"takes {LEAST} photos on which the models differ: fewer can all go one way by chance. "
        "Where fewer differ, the interval reaches 3 / photos to both sides (rule of three): equal "
        "answers are no proof of equal models.",
    ]
