"""Instructions about many pictures as columns: what `Instruction` is one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from locvlm.geometry import Box, Location
from locvlm.instructions.base import Instruction


@dataclass(frozen=True, eq=False)
class TextColumn:
    """M texts, each of which is kept once."""

    codes: NDArray[np.int64]  # (M,) index into `values`
    values: Sequence[str]

    def __len__(self) -> int:
        return len(self.codes)

    def to_list(self) -> list[str]:
        return [self.values[code] for code in self.codes.tolist()]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> TextColumn:
        return TextColumn(self.codes[rows], self.values)

    def combine(self, others: TextColumn, fill: Callable[[str, str], str]) -> TextColumn:
        """``fill(text, other)`` of each; called once for each pair that there is."""
        pairs, codes = np.unique(
            self.codes * len(others.values) + others.codes, return_inverse=True
        )
        values = (divmod(pair, len(others.values)) for pair in pairs.tolist())
        return TextColumn(codes, [fill(self.values[a], others.values[b]) for a, b in values])


@dataclass(frozen=True, eq=False)
class InstructionColumns:
    """M instructions of one objective, in the order of the pictures."""

    objective: str
    image_index: NDArray[np.int64]  # (M,) of the picture in its batch
    questions: TextColumn
    answers: TextColumn
    categories: TextColumn  # see `Instruction.category`
    is_point: NDArray[np.bool_]  # (M,) kind: point, else box
    boxes: NDArray[np.float64] | None = None  # (M, 4) xyxy, original pixels; None: no location

    def __len__(self) -> int:
        return len(self.image_index)

    def take(self, rows: NDArray[np.bool_]) -> InstructionColumns:
        """Some of them."""
        return replace(
            self,
            image_index=self.image_index[rows],
            questions=self.questions.take(rows),
            answers=self.answers.take(rows),
            categories=self.categories.take(rows),
            is_point=self.is_point[rows],
            boxes=None if self.boxes is None else self.boxes[rows],
        )

    def location_numbers(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """How many numbers each location has, 4 or 2, and the numbers one after the other.

        Of a point they are the center of its box. There must be locations.
        """
        assert self.boxes is not None
        numbers, is_point = self.boxes.copy(), self.is_point[:, None]
        centers = (self.boxes[:, :2] + self.boxes[:, 2:]) / 2
        numbers[:, :2] = np.where(is_point, centers, self.boxes[:, :2])
        used = ~is_point | (np.arange(4) < 2)
        return np.where(self.is_point, 2, 4), numbers[used]

    def to_list(self) -> list[Instruction]:
        """The same one by one."""
        columns = (self.questions.to_list(), self.answers.to_list(), self._locations())
        kinds = ["point" if is_point else "box" for is_point in self.is_point.tolist()]
        names = self.categories.to_list()
        return [
            Instruction(self.objective, question, answer, locations, kind, category=name)  # type: ignore[arg-type]
            for question, answer, locations, kind, name in zip(*columns, kinds, names, strict=True)
        ]

    def _locations(self) -> list[tuple[Location, ...]]:
        if self.boxes is None:
            return [()] * len(self)
        boxes = (Box(*numbers) for numbers in self.boxes.tolist())
        pairs = zip(boxes, self.is_point.tolist(), strict=True)
        return [(box.center if is_point else box,) for box, is_point in pairs]


@dataclass(frozen=True, eq=False)
class InstructionList:
    """Instructions that were made one by one, in the order of the pictures."""

    objective: str
    image_index: NDArray[np.int64]  # (M,) of the picture in its batch
    items: list[Instruction]

    def __len__(self) -> int:
        return len(self.items)

    def take(self, rows: NDArray[np.bool_]) -> InstructionList:
        """Some of them."""
        items = [self.items[row] for row in np.flatnonzero(rows).tolist()]
        return InstructionList(self.objective, self.image_index[rows], items)

    def to_list(self) -> list[Instruction]:
        return self.items


InstructionGroup: TypeAlias = InstructionColumns | InstructionList
