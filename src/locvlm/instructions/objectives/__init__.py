"""Objectives by name; the name is also the name of the file.

locpred, negpred and revloc are the paper's (arXiv 2404.07449). multiple and presence ask where in
other ways; spatial, caption and category do without coordinates.
"""

from __future__ import annotations

import random
from typing import Protocol

from locvlm.annotations.base import AnnotatedImage
from locvlm.errors import InputError
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives import (
    caption,
    category,
    locpred,
    multiple,
    negpred,
    presence,
    revloc,
    spatial,
)
from locvlm.instructions.objectives.base import RELATIONS, QuestionContext
from locvlm.instructions.objectives.batch_draws import AskBatch
from locvlm.instructions.objectives.location_choice import LocationChoice

__all__ = [
    "RELATIONS",
    "AskBatch",
    "LocationChoice",
    "Objective",
    "QuestionContext",
    "get",
    "names",
    "of_batches",
]


class Objective(Protocol):
    """Makes the instructions of one picture; all chance comes from `rng`.

    Those that are asked in batches (`of_batches`) take it as a batch of one, 0.1 to 0.2 ms.
    """

    def __call__(
        self, image: AnnotatedImage, asking: QuestionContext, rng: random.Random
    ) -> list[Instruction]: ...


_OBJECTIVES: dict[str, Objective] = {
    module.NAME: module.make
    for module in (locpred, negpred, revloc, multiple, presence, spatial, caption, category)
}

# Those that ask about many pictures at once, ten times as fast as one by one.
_OF_BATCHES: dict[str, AskBatch] = {
    module.NAME: module.ask for module in (locpred, negpred, revloc)
}


def names() -> list[str]:
    """The known objectives, sorted."""
    return sorted(_OBJECTIVES)


def get(name: str) -> Objective:
    """The objective `name`. Raises InputError where it is unknown."""
    if name not in _OBJECTIVES:
        raise InputError(f"unknown objective {name!r}; known: {', '.join(names())}")
    return _OBJECTIVES[name]


def of_batches(name: str) -> AskBatch | None:
    """The objective `name` for many pictures at once; None where it takes one by one."""
    return _OF_BATCHES.get(name)
