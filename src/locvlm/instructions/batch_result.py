"""What asking about some images gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.instruction_columns import InstructionGroup
from locvlm.instructions.objectives.image_batch import ImageBatch


@dataclass(frozen=True)
class BatchResult:
    """What some pictures gave, whichever others there are."""

    images: Sequence[AnnotatedImage]
    groups: list[InstructionGroup]  # one per objective, in their order
    drops: Counter[str]
    batch: ImageBatch  # the same pictures, as they were asked about
    asked: list[InstructionGroup]  # as `groups`, before the quota

    @property
    def counts(self) -> Counter[str]:
        """Objective -> instructions."""
        return Counter({group.objective: len(group) for group in self.groups})

    def conversations(self, source: str) -> list[Conversation]:
        """One per picture that gave any."""
        by_image: list[list[Instruction]] = [[] for _ in self.images]
        for group in self.groups:
            for number, item in zip(group.image_index.tolist(), group.to_list(), strict=True):
                by_image[number].append(item)
        return [
            Conversation(image.file_name, image.width, image.height, tuple(items), source)
            for image, items in zip(self.images, by_image, strict=True)
            if items
        ]
