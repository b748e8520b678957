"""What a build asked and what it did not, objective by objective: the table that it ends with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from locvlm.instructions import objectives
from locvlm.instructions.asked import Asked, LeftOut
from locvlm.instructions.instruction_columns import InstructionColumns, InstructionGroup
from locvlm.instructions.objectives import QuestionContext
from locvlm.instructions.objectives.image_batch import ImageBatch
from locvlm.instructions.objectives.remainder import Reason, Remainder, Share


@dataclass
class Tally:
    """The same of some images; tallies of different images add up."""

    questions: int = 0
    present: int = 0
    absent: int = 0
    images: int = 0
    categories: set[str] = field(default_factory=set)
    remainder: dict[Reason, Share] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Take in what was counted of other images."""
        self.questions += other.questions
        self.present += other.present
        self.absent += other.absent
        self.images += other.images
        self.categories |= other.categories
        for reason, (number, of) in other.remainder.items():
            before = self.remainder.get(reason, Share(0, 0))
            self.remainder[reason] = Share(before.number + number, before.of + of)

    def finish(self) -> Asked:
        """The counts, without reasons that held for nothing."""
        return Asked(
            questions=self.questions,
            present=self.present,
            absent=self.absent,
            images=self.images,
            categories=len(self.categories),
            left_out=tuple(
                LeftOut(share.number, share.of, *reason)
                for reason, share in self.remainder.items()
                if share.number
            ),
        )


Tallies: TypeAlias = dict[str, Tally]  # by objective


def tally_batch(
    batch: ImageBatch,
    context: QuestionContext,
    asked: Sequence[InstructionGroup],
    kept: Sequence[InstructionGroup],
) -> Tallies:
    """What was asked about a batch.

    Args:
        batch: the images.
        context: with which they were asked about.
        asked: by each objective.
        kept: what is left of that, in the same order, once there is a quota.
    """
    return {
        group.objective: _tally(group, _remainder(batch, context, before, group))
        for before, group in zip(asked, kept, strict=True)
    }


def add_tallies(total: Tallies, others: Mapping[str, Tally]) -> None:
    """Add tallies of other images to `total`."""
    for name, tally in others.items():
        total.setdefault(name, Tally()).add(tally)


def finish_tallies(total: Tallies, names: Iterable[str]) -> dict[str, Asked]:
    """The counts of the objectives `names`, also of those that asked nothing."""
    return {name: total.get(name, Tally()).finish() for name in names}


def _remainder(
    batch: ImageBatch, context: QuestionContext, asked: InstructionGroup, kept: InstructionGroup
) -> Remainder:
    found = objectives.get(asked.objective).count_left_out(batch, context, asked)
    beyond = Reason("questions", "beyond --per-category")
    return {**found, beyond: Share(len(asked) - len(kept), len(asked))}


def _tally(group: InstructionGroup, remainder: Remainder) -> Tally:
    present, absent, names = _count_presence(group)
    images = len(np.unique(group.image_index))
    return Tally(len(group), present, absent, images, names, dict(remainder))


def _count_presence(group: InstructionGroup) -> tuple[int, int, set[str]]:
    """Questions about what is there, about what is not, and the categories of both."""
    if isinstance(group, InstructionColumns):
        columns = group.categories
        names = {columns.values[code] for code in np.unique(columns.codes).tolist()}
        if group.boxes is None:  # a category and no place: it is nowhere
            return 0, len(group), names
        return len(group), 0, names
    items = [item for item in group.to_list() if item.category]
    present = sum(bool(item.locations or item.evidence) for item in items)
    return present, len(items) - present, {item.category for item in items}
