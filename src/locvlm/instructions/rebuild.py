"""The plan of a data set that lies on disk: to ask more about its pictures, as it was built."""

from __future__ import annotations

from typing import cast

from locvlm.annotations.base import AnnotationSet
from locvlm.instructions import objectives
from locvlm.instructions.base import MIXED
from locvlm.instructions.build import (
    QuestionOptions,
    QuestionPlan,
    limit_plan,
    lowest_ranks,
    make_plan,
)
from locvlm.instructions.dataset import Manifest
from locvlm.instructions.filters import ObjectLimits
from locvlm.instructions.negatives import NegativeChoice
from locvlm.instructions.objectives import LocationChoice
from locvlm.instructions.templates import Templates


def rebuild_plan(manifest: Manifest, data: AnnotationSet) -> QuestionPlan:
    """By what a data set was built.

    Args:
        manifest: the data set's.
        data: its annotated pictures, as `read_asked_objects` gives them.
    """
    templates = Templates(manifest.template_texts)
    options = QuestionOptions(
        objectives=tuple(name for name in manifest.objectives if name != MIXED),
        location=cast(LocationChoice, manifest.location),
        seed=manifest.seed,
        negatives=cast(NegativeChoice, manifest.negatives),
        spatial=manifest.spatial,
        limits=ObjectLimits(manifest.min_area, manifest.max_area, manifest.edge),
        templates=templates,
        per_category=manifest.per_category,
        unboxed=manifest.ask_unboxed,
        described_only=manifest.described_only,
        absences=manifest.absences,
    )
    for name in options.objectives:
        objectives.get(name)
    plan = make_plan(data, options)
    if options.per_category is None:
        return plan
    return limit_plan(plan, [lowest_ranks(plan, data.images)])
