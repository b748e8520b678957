"""What an objective is, and what it is told beside the picture."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.absence_range import ABSENCES, AbsenceRange
from locvlm.instructions.base import Instruction
from locvlm.instructions.instruction_columns import InstructionColumns, InstructionGroup
from locvlm.instructions.negatives import NegativeChooser
from locvlm.instructions.objectives.image_batch import ImageBatch
from locvlm.instructions.objectives.location_choice import LocationChoice
from locvlm.instructions.objectives.remainder import Remainder
from locvlm.instructions.templates import TemplateRule, Templates

RELATIONS = ("left-right", "above-below", "edge", "count")  # that spatial can ask about


@dataclass(frozen=True)
class QuestionContext:
    """What is the same for all pictures of a build."""

    categories: Sequence[str] = ()  # all that the data set annotates
    location: LocationChoice = "box"  # how an instruction says where
    negatives: NegativeChooser = field(default_factory=NegativeChooser)  # which absent categories
    relations: tuple[str, ...] = RELATIONS[:2]  # what spatial asks about
    templates: Templates = field(default_factory=Templates)  # in place of the objectives' own
    sought: Sequence[str] | None = None  # categories that can be absent; None: all
    described_only: bool = False  # locpred and revloc leave out objects without a description
    absences: AbsenceRange = ABSENCES  # that negpred asks about

    @property
    def can_be_absent(self) -> Sequence[str]:
        """The categories that were looked for."""
        return self.categories if self.sought is None else self.sought

    def objects_to_locate(self, batch: ImageBatch) -> NDArray[np.int64]:
        """The rows of objects that locpred asks for."""
        return batch.own_described if self.described_only else batch.nameable

    def objects_to_name(self, batch: ImageBatch) -> NDArray[np.int64]:
        """The rows of objects that revloc asks about."""
        return batch.described if self.described_only else np.flatnonzero(~batch.objects.crowds)


class AskImage(Protocol):
    """Asks about one picture; all chance comes from `rng`."""

    def __call__(
        self, image: AnnotatedImage, context: QuestionContext, rng: random.Random
    ) -> list[Instruction]: ...


class AskBatch(Protocol):
    """Asks about a batch; all chance comes from `keys`, one for each of its pictures."""

    def __call__(
        self, batch: ImageBatch, context: QuestionContext, keys: NDArray[np.uint64]
    ) -> InstructionColumns: ...


class CountLeftOut(Protocol):
    """What of a batch is not asked about, and why; `asked` is what is."""

    def __call__(
        self, batch: ImageBatch, context: QuestionContext, asked: InstructionGroup
    ) -> Remainder: ...


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One kind of question, asked picture by picture or, ten times as fast, of many at once."""

    name: str
    ask_image: AskImage | None = None  # one of the two is given
    ask_batch: AskBatch | None = None
    count_left_out: CountLeftOut
    template_rules: Mapping[str, TemplateRule] = field(default_factory=dict)  # by part
    needs_captions: bool = False  # some picture must have one

    def ask(
        self, image: AnnotatedImage, context: QuestionContext, rng: random.Random
    ) -> list[Instruction]:
        """What is asked about a single picture, in 0.1 to 0.2 ms where it takes a batch of one."""
        if self.ask_image is not None:
            return self.ask_image(image, context, rng)
        assert self.ask_batch is not None
        keys = np.array([rng.getrandbits(64)], np.uint64)
        return self.ask_batch(ImageBatch([image], context.categories), context, keys).to_list()
