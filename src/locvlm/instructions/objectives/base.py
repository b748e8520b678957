"""What an objective is told beside the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from locvlm.instructions.negatives import Negatives
from locvlm.instructions.objectives.location_choice import Places
from locvlm.instructions.templates import Templates

RELATIONS = ("left-right", "above-below", "edge", "count")  # that spatial can ask about


@dataclass(frozen=True)
class Asking:
    """What is the same for all pictures of a build."""

    categories: Sequence[str] = ()  # all that the data set annotates
    kind: Places = "box"  # how an instruction says where
    negatives: Negatives = field(default_factory=Negatives)  # which absent categories
    relations: tuple[str, ...] = RELATIONS[:2]  # what spatial asks about
    templates: Templates = field(default_factory=Templates)  # in place of the objectives' own
