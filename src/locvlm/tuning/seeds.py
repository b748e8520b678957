"""How far trainings with other seeds are apart: what one training says is also chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from locvlm.evaluation.intervals import student_t
from locvlm.evaluation.proof.structure import Figure, Proof
from locvlm.evaluation.proof.verdicts import abilities_of
from locvlm.evaluation.reports.number_format import format_signed, unit_of


@dataclass(frozen=True)
class SeedSpread:
    """The difference to the base of one score, over trainings with other seeds."""

    task: str
    ability: str  # that the score tells, as a sentence begins
    figure: Figure  # of the first training
    differences: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Of the trainings."""
        return float(np.mean(self.differences))

    @property
    def half(self) -> float:
        """Half the width of the mean's 95 % interval (Student's t)."""
        n = len(self.differences)
        return student_t(n) * float(np.std(self.differences, ddof=1)) / math.sqrt(n)

    @property
    def sentence(self) -> str:
        """For people."""
        low, high = self.mean - self.half, self.mean + self.half
        sure = "whichever the seed" if low > 0 or high < 0 else "not sure to be none"
        kind = self.figure.kind
        mean, least, most = (format_signed(kind, value) for value in (self.mean, low, high))
        return (
            f"{self.ability}, over {len(self.differences)} trainings: {self.figure.name} differs "
            f"by {mean} ({least} … {most}){unit_of(kind)}, {sure}."
        )


def compare_seeds(proofs: Sequence[Proof]) -> list[SeedSpread]:
    """Of each score that has a verdict, over the proofs of two or more trainings."""
    if len(proofs) < 2:
        return []
    found = []
    for place, task in enumerate(proofs[0].tasks):
        headlines = [figure.name for figure in task.scores[: task.headlines]]
        for name, ability in abilities_of(task.task, task.title, headlines).items():
            figures = [
                figure
                for proof in proofs
                for figure in proof.tasks[place].scores
                if figure.name == name
            ]
            if len(figures) == len(proofs):
                differences = tuple(figure.difference for figure in figures)
                found.append(SeedSpread(task.task, ability, figures[0], differences))
    return found
