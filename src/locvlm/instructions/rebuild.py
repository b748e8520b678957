"""The plan of a data set that lies on disk: to ask more about its pictures, as it was built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from locvlm.annotations.base import AnnotationSet
from locvlm.errors import InputError
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
from locvlm.instructions.source_files import digest_files
from locvlm.instructions.templates import Templates, read_templates


def rebuild_plan(folder: Path, manifest: Manifest, data: AnnotationSet) -> QuestionPlan:
    """By what the data set in `folder` was built.

    Args:
        folder: as an error names it.
        manifest: the data set's.
        data: its annotations, as they are read now.

    Raises:
        InputError: a file that it was built from has changed since.
    """
    _require_unchanged(folder, manifest)
    templates = Templates()
    if manifest.templates:
        templates = read_templates(Path(manifest.templates), objectives.template_rules())
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
    )
    for name in options.objectives:
        objectives.get(name)
    plan = make_plan(data, options)
    if options.per_category is None:
        return plan
    return limit_plan(plan, [lowest_ranks(plan, data.images)])


def reader_options(manifest: Manifest) -> dict[str, Any]:
    """Further options of the reader, with which it yields what the data set was built from."""
    captions = {"captions": Path(manifest.captions)} if manifest.captions else {}
    return {**manifest.options, **captions}


def _require_unchanged(folder: Path, manifest: Manifest) -> None:
    digests: Mapping[str, str] = {
        manifest.annotations: manifest.annotations_sha256,
        manifest.captions: manifest.captions_sha256,
        manifest.templates: manifest.templates_sha256,
        **{manifest.options[name]: digest for name, digest in manifest.options_sha256.items()},
    }
    for path, digest in digests.items():
        try:
            same = not path or digest_files(Path(path)) == digest
        except OSError:
            same = False
        if not same:
            raise InputError(
                f"{path}: is gone or has changed since {folder} was built from it, so no more can "
                "be asked about the pictures; build the data set again"
            )
