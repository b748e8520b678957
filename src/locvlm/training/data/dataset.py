"""The pictures and questions of a recipe's data sets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from locvlm import annotations as readers
from locvlm.annotations.base import AnnotatedImage
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.instructions.base import MIXED, Conversation, Instruction, LocationKind
from locvlm.instructions.build import QuestionPlan
from locvlm.instructions.dataset import images_folder, read_dataset, read_manifest
from locvlm.instructions.rebuild import reader_options, rebuild_plan
from locvlm.training.recipe import Recipe


@dataclass(frozen=True)
class QuestionSource:
    """What questions about a part of a picture are drawn from."""

    image: AnnotatedImage
    plan: QuestionPlan  # by which its data set was built


@dataclass(frozen=True)
class TrainingData:
    """Everything that the recipe's data sets hold, with absolute paths."""

    conversations: list[Conversation]
    origins: list[
        QuestionSource | None
    ]  # of each conversation; None: from texts, or none are needed
    annotated: list[tuple[Path, AnnotatedImage, tuple[str, ...]]]  # with the set's categories
    categories: tuple[str, ...]  # of all sets, the widest first

    def instructions_of(self, objectives: Collection[str]) -> Iterator[Instruction]:
        """The instructions of these objectives."""
        for conversation in self.conversations:
            for item in conversation.instructions:
                if item.objective in objectives:
                    yield item

    def kinds(self, objectives: Collection[str]) -> set[LocationKind]:
        """What these objectives ask for or hold: boxes, points or both."""
        kinds: set[LocationKind] = set()
        for item in self.instructions_of(objectives):
            kinds |= {
                item.kind,
                *("box" if isinstance(p, Box) else "point" for p in item.locations),
            }
        return kinds


def read_training_data(recipe: Recipe) -> TrainingData:
    """The data sets of a recipe.

    Raises:
        InputError: one of them cannot be used, or parts of pictures are to be shown and nothing is
            known about parts of any.
    """
    conversations, annotated, categories = [], [], dict[str, None]()
    origins: list[QuestionSource | None] = []
    cropped = recipe.augment is not None and bool(recipe.augment.crop)
    for folder in map(Path, recipe.data):
        manifest = read_manifest(folder)
        images = images_folder(folder)
        items = read_dataset(folder)
        conversations += [replace(item, image=str(images / item.image)) for item in items]
        options = reader_options(manifest) if cropped else manifest.options
        source = readers.read(manifest.reader, manifest.annotations, images=images, **options)
        file_names = {image.file_name for image in source.images}
        if lost := [item.image for item in items if item.image not in file_names]:
            raise InputError(
                f"{folder}: {len(lost)} of its pictures are gone or changed, such as "
                f"{images / lost[0]}; put them back, or build the data set again"
            )
        if cropped:
            plan = rebuild_plan(folder, manifest, source)
            origins += _question_sources(items, source.images, plan)
        annotated += [(images / i.file_name, i, source.categories) for i in source.images]
        categories |= dict.fromkeys(source.categories)
    if cropped and not any(origins):
        raise InputError(
            "augment.crop: the data sets hold texts alone, whose places in a part of a picture are "
            "not known; leave it out"
        )
    if recipe.points:
        conversations = [
            replace(item, instructions=centers(item.instructions)) for item in conversations
        ]
    return TrainingData(conversations, origins, annotated, tuple(categories))


def centers(instructions: Iterable[Instruction]) -> tuple[Instruction, ...]:
    """The same with points for boxes; the boxes stay the evidence."""
    return tuple(
        replace(
            item,
            locations=tuple(p.center if isinstance(p, Box) else p for p in item.locations),
            kind="point",
            evidence=item.grounds,
        )
        for item in instructions
    )


def _question_sources(
    conversations: Iterable[Conversation], images: Iterable[AnnotatedImage], plan: QuestionPlan
) -> Iterator[QuestionSource | None]:
    """Of each conversation, unless it was mixed in as text."""
    sources = {image.file_name: QuestionSource(image, plan) for image in images}
    for conversation in conversations:
        texts = all(item.objective == MIXED for item in conversation.instructions)
        yield None if texts else sources[conversation.image]
