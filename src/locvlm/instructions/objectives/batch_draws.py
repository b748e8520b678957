"""What objectives draw for all questions about a batch at once, and the batch of one picture."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.instruction_columns import InstructionColumns, TextColumn
from locvlm.instructions.objectives.base import QuestionContext
from locvlm.instructions.objectives.image_batch import Descriptions, ImageBatch
from locvlm.instructions.objectives.location_choice import LocationChoice
from locvlm.instructions.objectives.random_draws import ANSWER, KIND, TEMPLATE, WHICH, Draws


class AskBatch(Protocol):
    """Asks about a batch; all chance comes from `keys`, one for each of its pictures."""

    def __call__(
        self, batch: ImageBatch, asking: QuestionContext, keys: NDArray[np.uint64]
    ) -> InstructionColumns: ...


def ask_about_one(
    ask: AskBatch, image: AnnotatedImage, asking: QuestionContext, rng: random.Random
) -> list[Instruction]:
    """What is asked about a single picture."""
    keys = np.array([rng.getrandbits(64)], np.uint64)
    return ask(ImageBatch([image], asking.categories), asking, keys).instructions()


def draw_prompts(templates: Sequence[str], draws: Draws) -> TextColumn:
    """One of the templates for each question."""
    return TextColumn(draws.below(len(templates), TEMPLATE), templates)


def draw_answers(templates: Sequence[str], draws: Draws) -> TextColumn:
    """One of the templates for each answer."""
    return TextColumn(draws.below(len(templates), ANSWER), templates)


def draw_points(kind: LocationChoice, draws: Draws) -> NDArray[np.bool_]:
    """(M,): whether each says where by a point, else by a box."""
    if kind == "both":
        return draws.below(2, KIND) == 1
    return np.full(len(draws.keys), kind == "point")


def draw_phrases(
    batch: ImageBatch, rows: NDArray[np.int64], said: Descriptions, draws: Draws
) -> TextColumn:
    """One of the descriptions of each object, without its full stop; without any its category.

    Args:
        batch: the pictures.
        rows: of its objects.
        said: descriptions of all its objects.
        draws: one for each of the rows.
    """
    categories = batch.categories_of(rows)
    if said is None:
        return categories
    here = [said[row] for row in rows.tolist()]
    chosen = draws.below(np.array([len(some) or 1 for some in here], np.int64), WHICH).tolist()
    texts = [
        some[place].rstrip(". ") if some else name
        for some, place, name in zip(here, chosen, categories.to_list(), strict=True)
    ]
    return TextColumn(np.arange(len(texts)), texts)
