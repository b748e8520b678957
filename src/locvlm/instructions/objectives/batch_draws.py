"""What objectives draw for all questions about a batch at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from locvlm.instructions.instruction_columns import TextColumn
from locvlm.instructions.objectives.image_batch import Descriptions, ImageBatch
from locvlm.instructions.objectives.location_choice import LocationChoice
from locvlm.instructions.objectives.random_draws import ANSWER, KIND, TEMPLATE, WHICH, Draws


def draw_prompts(templates: Sequence[str], draws: Draws) -> TextColumn:
    """One of the templates for each question."""
    return TextColumn(draws.below(len(templates), TEMPLATE), templates)


def draw_answers(templates: Sequence[str], draws: Draws) -> TextColumn:
    """One of the templates for each answer."""
    return TextColumn(draws.below(len(templates), ANSWER), templates)


def draw_points(choice: LocationChoice, draws: Draws) -> NDArray[np.bool_]:
    """(M,): whether each says where by a point, else by a box."""
    if choice == "both":
        return draws.below(2, KIND) == 1
    return np.full(len(draws.keys), choice == "point")


def draw_phrases(
    batch: ImageBatch, rows: NDArray[np.int64], descriptions: Descriptions, draws: Draws
) -> TextColumn:
    """One of the descriptions of each object, without its full stop; without any its category.

    Args:
        batch: the pictures.
        rows: of its objects.
        descriptions: of all its objects.
        draws: one for each of the rows.
    """
    categories = batch.categories_of(rows)
    if descriptions is None:
        return categories
    own = [descriptions[row] for row in rows.tolist()]
    chosen = draws.below(np.array([len(some) or 1 for some in own], np.int64), WHICH).tolist()
    texts = [
        some[number].rstrip(". ") if some else name
        for some, number, name in zip(own, chosen, categories.to_list(), strict=True)
    ]
    return TextColumn(np.arange(len(texts)), texts)
