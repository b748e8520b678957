"""The pictures and questions of a recipe's data sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from locvlm.annotations.base import AnnotatedImage
from locvlm.annotations.splits import list_held_out
from locvlm.errors import InputError
from locvlm.geometry import Box, Size
from locvlm.instructions.base import MIXED, Conversation, Instruction, LocationKind
from locvlm.instructions.build import QuestionPlan
from locvlm.instructions.dataset import (
    find_images_folder,
    read_asked_objects,
    read_dataset,
    read_manifest,
    read_objects,
)
from locvlm.instructions.rebuild import rebuild_plan
from locvlm.instructions.visible import FieldOfView
from locvlm.io.reading import is_file
from locvlm.training.data.asked import Held
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
    # Of each conversation; None: from texts, or none are needed
    origins: list[QuestionSource | None]
    annotated: list[tuple[Path, AnnotatedImage, tuple[str, ...]]]  # with the set's categories
    categories: tuple[str, ...]  # of all sets, the widest first
    without_objects: tuple[Path, ...] = ()  # data sets of before objects were kept
    # Data set -> objective -> how many questions
    held: Held = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)  # pictures that are gone, left out
    # Pictures that are left out, for another data set of the recipe holds them out: which
    held_back: Mapping[Path, Path] = field(default_factory=dict)
    view: FieldOfView | None = None  # of the model, by which questions were left out; None: not yet

    @property
    def sizes(self) -> dict[Path, Size]:
        """(width, height) of all pictures, the annotated ones first."""
        sizes = {path: (image.width, image.height) for path, image, _ in self.annotated}
        for item in self.conversations:
            sizes.setdefault(Path(item.image), (item.width, item.height))
        return sizes

    def require_objects(self, what: str) -> None:
        """Raise InputError where `what` (a key of the recipe) needs objects and there are none."""
        if self.without_objects:
            raise InputError(
                f"{self.without_objects[0]}: was built by an older LocVLM, which kept no objects "
                f"in the data set; {what} needs them: build it again"
            )
        if not self.annotated:
            raise InputError(f"{what} needs objects, and the data sets hold texts alone")

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
    """The data sets of a recipe, from their folders alone.

    Raises:
        InputError: one of them cannot be used, or parts of pictures are to be shown and nothing is
            known about parts of any.
    """
    conversations, annotated, categories = [], [], dict[str, None]()
    origins: list[QuestionSource | None] = []
    without, held, lost = [], dict[Path, Counter[str]](), dict[str, str]()
    cropped = recipe.augment is not None and bool(recipe.augment.crop)
    held_out, held_back = _find_held_out(recipe), dict[Path, Path]()
    for folder, given in recipe.data_folders:
        manifest, images = read_manifest(folder), find_images_folder(folder, given)
        items, source = read_dataset(folder), read_asked_objects(folder)
        asked = {item.image for item in items}
        names = asked.union(image.file_name for image in source.images)
        there = {name for name in names if is_file(images / name)}
        lost |= _find_lost(folder, images, asked, there)
        kept_back = {name for name in there if held_out.get(images / name, folder) != folder}
        held_back |= {images / name: held_out[images / name] for name in kept_back}
        there -= kept_back
        items = [item for item in items if item.image in there]
        conversations += [replace(item, image=str(images / item.image)) for item in items]
        held[folder] = Counter(i.objective for item in items for i in item.instructions)
        if not manifest.objects_sha256 and not all(map(_is_text, items)):
            without.append(folder)
        if cropped and manifest.objects_sha256:
            origins += _question_sources(items, source.images, rebuild_plan(manifest, source))
        elif cropped:
            origins += [None] * len(items)
        annotated += [
            (images / image.file_name, image, source.categories)
            for image in source.images
            if image.file_name in there
        ]
        categories |= dict.fromkeys(source.categories)
    known = (tuple(categories), tuple(without), held, lost, held_back)
    data = TrainingData(conversations, origins, annotated, *known)
    if cropped and without:
        data.require_objects("augment.crop")
    if cropped and not any(origins):
        raise InputError(
            "augment.crop: the data sets hold texts alone, whose places in a part of a picture are "
            "not known; leave it out"
        )
    if recipe.points:
        points = [replace(item, instructions=centers(item.instructions)) for item in conversations]
        return replace(data, conversations=points)
    return data


def _find_held_out(recipe: Recipe) -> dict[Path, Path]:
    """Images that a data set of several keeps and does not ask about, and which data set."""
    folders = recipe.data_folders if len(recipe.data) > 1 else []
    return {
        find_images_folder(folder, given) / name: folder
        for folder, given in folders
        for name in list_held_out(read_objects(folder), read_asked_objects(folder))
    }


def _find_lost(folder: Path, images: Path, asked: set[str], there: set[str]) -> dict[str, str]:
    """Pictures of the data set in `folder` that are not there, by path, each with words.

    Raises InputError where they are most of its pictures: the folder may be another.
    """
    lost = sorted(asked - there)
    if lost and not there:
        raise InputError(
            f"{folder}: all of its {len(lost)} pictures are gone: there is no "
            f"{images / lost[0]}; put them there, or give their folder, --images DIR (of a recipe "
            "images)"
        )
    if 2 * len(lost) > len(asked):
        raise InputError(
            f"{folder}: {len(lost)} of its {len(asked)} pictures are gone or renamed, such as "
            f"{images / lost[0]}; put them back, or build the data set again"
        )
    return {str(images / name): f"{images / name}: gone or renamed" for name in lost}


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
        yield None if _is_text(conversation) else sources[conversation.image]


def _is_text(conversation: Conversation) -> bool:
    return all(item.objective == MIXED for item in conversation.instructions)
