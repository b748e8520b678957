"""The pictures and questions of a recipe's data sets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from locvlm import annotations as readers
from locvlm.annotations.base import AnnotatedImage
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.instructions.base import Conversation
from locvlm.instructions.dataset import pictures_folder, read_dataset, read_manifest
from locvlm.training.recipe import Recipe


@dataclass(frozen=True)
class Pictures:
    """Everything that the recipe's data sets hold, with absolute paths."""

    conversations: list[Conversation]
    annotated: list[tuple[Path, AnnotatedImage, tuple[str, ...]]]  # with the set's categories
    categories: tuple[str, ...]  # of all sets, the widest first


def read_pictures(recipe: Recipe) -> Pictures:
    """The data sets of a recipe."""
    conversations, annotated, categories = [], [], dict[str, None]()
    for folder in map(Path, recipe.data):
        manifest = read_manifest(folder)
        images = pictures_folder(folder)
        asked = read_dataset(folder)
        conversations += [replace(item, image=str(images / item.image)) for item in asked]
        source = readers.read(
            manifest.reader, manifest.annotations, images=images, **manifest.options
        )
        found = {image.file_name for image in source.images}
        if lost := [item.image for item in asked if item.image not in found]:
            raise InputError(
                f"{folder}: {len(lost)} of its pictures are gone or changed, such as "
                f"{images / lost[0]}; put them back, or build the data set again"
            )
        annotated += [(images / i.file_name, i, source.categories) for i in source.images]
        categories |= dict.fromkeys(source.categories)
    if recipe.points:
        conversations = [_centers(item) for item in conversations]
    return Pictures(conversations, annotated, tuple(categories))


def _centers(conversation: Conversation) -> Conversation:
    """The same with points for boxes; the boxes stay the evidence."""
    items = (
        replace(
            item,
            locations=tuple(p.center if isinstance(p, Box) else p for p in item.locations),
            kind="point",
            evidence=item.grounds,
        )
        for item in conversation.instructions
    )
    return replace(conversation, instructions=tuple(items))
