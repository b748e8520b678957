"""What an objective is told beside the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from locvlm.instructions.negatives import NegativeChooser
from locvlm.instructions.objectives.location_choice import LocationChoice
from locvlm.instructions.templates import Templates

RELATIONS = ("left-right", "above-below", "edge", "count")  # that spatial can ask about


@dataclass(frozen=True)
class QuestionContext:
    """What is the same for all pictures of a build."""

    categories: Sequence[str] = ()  # all that the data set annotates
    kind: LocationChoice = "box"  # how an instruction says where
    negatives: NegativeChooser = field(default_factory=NegativeChooser)  # which absent categories
    relations: tuple[str, ...] = RELATIONS[:2]  # what spatial asks about
    templates: Templates = field(default_factory=Templates)  # in place of the objectives' own
