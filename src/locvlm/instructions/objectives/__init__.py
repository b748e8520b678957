"""Objectives by name; the name is also the name of the file.

locpred, negpred and revloc are the paper's (arXiv 2404.07449). multiple and presence ask where in
other ways; spatial, caption and category do without coordinates.

A new objective is a file with an `Objective`, and a line in `_OBJECTIVES`.
"""

from __future__ import annotations

from collections.abc import Mapping

from locvlm.errors import InputError
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
from locvlm.instructions.objectives.base import RELATIONS, Objective, QuestionContext
from locvlm.instructions.objectives.location_choice import LocationChoice
from locvlm.instructions.templates import TemplateRule

__all__ = [
    "RELATIONS",
    "LocationChoice",
    "Objective",
    "QuestionContext",
    "get",
    "names",
    "template_rules",
]

_OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        locpred.OBJECTIVE,
        negpred.OBJECTIVE,
        multiple.OBJECTIVE,
        presence.OBJECTIVE,
        revloc.OBJECTIVE,
        spatial.OBJECTIVE,
        caption.OBJECTIVE,
        category.OBJECTIVE,
    )
}


def names() -> list[str]:
    """The known objectives, sorted."""
    return sorted(_OBJECTIVES)


def get(name: str) -> Objective:
    """The objective `name`. Raises InputError where it is unknown."""
    if name not in _OBJECTIVES:
        raise InputError(f"unknown objective {name!r}; known: {', '.join(names())}")
    return _OBJECTIVES[name]


def template_rules() -> dict[str, Mapping[str, TemplateRule]]:
    """What templates of one's own must hold, by objective and part."""
    return {name: each.template_rules for name, each in _OBJECTIVES.items() if each.template_rules}
