"""Questions about any split of a data set, also one that it was not built to ask about."""

from __future__ import annotations

from pathlib import Path

from locvlm.annotations.splits import ALL, list_held_out
from locvlm.instructions.base import Conversation
from locvlm.instructions.build import ask_about_batch
from locvlm.instructions.dataset import (
    read_asked_objects,
    read_dataset,
    read_manifest,
    read_objects,
)
from locvlm.instructions.rebuild import rebuild_plan


def read_split(folder: Path, split: str | None = None) -> list[Conversation]:
    """The conversations about the images of a split.

    Those of the split that the data set asks about are as they were written. Those of another are
    drawn by what it was built by: its objectives, categories, templates and seed.

    Args:
        folder: of the data set.
        split: such as val, or all; None: the one that the data set asks about.

    Raises:
        InputError: there is no data set, or it has no such split.
    """
    manifest = read_manifest(folder)
    if split in (None, manifest.split):
        return read_dataset(folder)
    asked, data = read_asked_objects(folder), read_objects(folder, split)
    chosen = data.options["split"]
    if chosen == manifest.split:
        return read_dataset(folder)
    held_out = set(list_held_out(data, asked)) if chosen == ALL else None
    images = [each for each in data.images if held_out is None or each.file_name in held_out]
    plan = rebuild_plan(manifest, asked)
    drawn = list(ask_about_batch(plan, images).conversations(plan.source)) if images else []
    return [*read_dataset(folder), *drawn] if chosen == ALL else drawn
