"""From annotated pictures to instructions, in memory. On disk: see `build_files`."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.columns import ColumnarImages
from locvlm.errors import InputError
from locvlm.instructions import objectives as known
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.filters import ObjectLimits, drop_unusable_descriptions
from locvlm.instructions.instruction_columns import BatchResult, InstructionGroup, InstructionList
from locvlm.instructions.negatives import NegativeChoice, make_negative_chooser
from locvlm.instructions.objectives import RELATIONS, LocationChoice, QuestionContext
from locvlm.instructions.objectives.image_batch import ImageBatch
from locvlm.instructions.objectives.random_draws import image_keys, objective_keys
from locvlm.instructions.quota import (
    LowestRanks,
    Quota,
    compute_quota,
    keep_lowest,
    rank_instructions,
)
from locvlm.instructions.templates import Templates
from locvlm.runtime.garbage_collection import uncollected

PAPER_OBJECTIVES = ("locpred", "negpred", "revloc")


@dataclass(frozen=True)
class QuestionOptions:
    """What is asked about pictures, and how. The same settings give the same questions."""

    objectives: tuple[str, ...] = (
        PAPER_OBJECTIVES  # names (see `locvlm.instructions.objectives.names`)
    )
    location: LocationChoice = (
        "box"  # say where by boxes, by centers, or by either, drawn each time
    )
    seed: int = 0  # of all that is drawn
    negatives: NegativeChoice = "random"  # which absent categories are asked about
    spatial: tuple[str, ...] = RELATIONS[:2]  # relations that the objective spatial asks about
    limits: ObjectLimits = field(
        default_factory=ObjectLimits
    )  # of the objects that are asked about
    templates: Templates = field(default_factory=Templates)  # in place of the objectives' own
    per_category: int | None = None  # questions per category and objective; None: all


@dataclass(frozen=True)
class BuildResult:
    """What was made, and what was left out."""

    conversations: list[Conversation]  # one per picture, in the order of the annotations
    counts: Counter[str]  # objective -> instructions, 0 where it gave none
    drops: Counter[str]  # reason -> how many; the reader's drops included


@dataclass(frozen=True)
class QuestionPlan:
    """What it takes to ask about pictures, whichever they are: an engine sends it once."""

    asking: QuestionContext
    source: str
    settings: QuestionOptions
    quota: Quota | None = None


def build(
    annotations: AnnotationSet, objectives: Sequence[str] = PAPER_OBJECTIVES, **options: Any
) -> BuildResult:
    """All instructions of all pictures, in memory.

    What is asked about a picture depends on the seed, its id and the objective alone: neither other
    pictures nor other objectives change it. Pictures that give no instruction are left out.

    Args:
        annotations: boxes in original pixels.
        objectives: names of objectives.
        options: the other fields of `Settings`, and those of `Limits`.

    Raises:
        InputError: an unknown or repeated objective, captions asked for and none there, a category
            with braces in its name, or a number out of range.
    """
    settings = settled(objectives=tuple(objectives), **options)
    check_options(annotations, settings)
    plan, images = make_plan(annotations, settings), annotations.images
    if settings.per_category is not None:
        kept = compute_quota([lowest_ranks(plan, images)], settings.per_category, settings.seed)
        plan = replace(plan, quota=kept)
    made = build_batch(plan, images)
    conversations = made.conversations(plan.source)
    return BuildResult(conversations, made.counts, made.drops + annotations.drops)


def make_plan(data: AnnotationSet, settings: QuestionOptions) -> QuestionPlan:
    """The plan of a data set; it is counted once where its negatives need that."""
    chooser = make_negative_chooser(data, settings.negatives)
    asking = QuestionContext(
        data.categories, settings.location, chooser, settings.spatial, settings.templates
    )
    return QuestionPlan(asking, data.source.name, settings)


def build_batch(plan: QuestionPlan, images: Sequence[AnnotatedImage]) -> BatchResult:
    """Ask about some pictures."""
    drops: Counter[str] = Counter()
    drops["crowds, not asked about"] += _count_crowds(images)
    batch = ImageBatch(_filter_objects(images, plan.settings, drops), plan.asking.categories)
    parts = _ask_objectives(batch, plan)
    if plan.quota:
        kept = [_within_quota(part, batch, plan.quota) for part in parts]
        drops["questions beyond per_category"] += sum(map(len, parts)) - sum(map(len, kept))
        parts = kept
    asked = np.bincount(np.concatenate([part.pictures for part in parts]), minlength=len(batch))
    drops["pictures without instructions"] += int((asked == 0).sum())
    return BatchResult(batch.images.bare, parts, +drops)


def _count_crowds(images: Sequence[AnnotatedImage]) -> int:
    if isinstance(images, ColumnarImages):
        return int(images.objects.crowds.sum())
    return sum(item.crowd for image in images for item in image.objects)


def _filter_objects(
    images: Sequence[AnnotatedImage], settings: QuestionOptions, drops: Counter[str]
) -> Sequence[AnnotatedImage]:
    """The pictures with what cannot or shall not be asked about marked or left out, and counted."""
    plain = isinstance(images, ColumnarImages) and images.objects.descriptions is None
    if plain and not settings.limits:
        return images
    return [
        settings.limits.apply(drop_unusable_descriptions(image, drops), drops) for image in images
    ]


def _ask_objectives(batch: ImageBatch, plan: QuestionPlan) -> list[InstructionGroup]:
    """What each objective asks."""
    seed, parts = plan.settings.seed, list[InstructionGroup]()
    keys = image_keys(seed, (image.id for image in batch.images.bare))
    for name in plan.settings.objectives:
        if ask := known.of_batches(name):
            parts.append(ask(batch, plan.asking, objective_keys(keys, name)))
        else:
            parts.append(_ask_one_by_one(name, batch, plan.asking, seed))
    return parts


def _ask_one_by_one(
    name: str, batch: ImageBatch, asking: QuestionContext, seed: int
) -> InstructionList:
    make_of = known.get(name)
    pictures, made = list[int](), list[Instruction]()
    for picture, image in enumerate(batch.images):
        some = make_of(image, asking, random.Random(f"{seed}/{image.id}/{name}"))
        pictures += [picture] * len(some)
        made += some
    return InstructionList(name, np.array(pictures, np.int64), made)


def _within_quota(part: InstructionGroup, batch: ImageBatch, quota: Quota) -> InstructionGroup:
    """What is within the quota."""
    marks = [
        mark
        for image, items in _group_by_image(part, batch)
        for mark in quota.keeps(image.id, items)
    ]
    return part.take(np.array(marks, np.bool_))


def _group_by_image(
    part: InstructionGroup, batch: ImageBatch
) -> Iterator[tuple[AnnotatedImage, list[Instruction]]]:
    """The instructions of each picture that has any."""
    pairs = zip(part.pictures.tolist(), part.instructions(), strict=True)
    for picture, items in groupby(pairs, key=itemgetter(0)):
        yield batch.images.bare[picture], [item for _, item in items]


def ask_about_image(
    plan: QuestionPlan, image: AnnotatedImage, seed: int, objectives: Collection[str]
) -> tuple[Instruction, ...]:
    """Questions about a picture, or a part of one, drawn by another seed than the data set's.

    By the plan's own seed, they are those of the data set.

    Args:
        plan: of the data set.
        image: which may be cut out of one of the data set's.
        seed: of all that is drawn.
        objectives: the plan's others are left out.
    """
    asked = tuple(name for name in plan.settings.objectives if name in objectives)
    if not asked:
        return ()
    settings = replace(plan.settings, seed=seed, objectives=asked)
    drawn = QuestionPlan(
        plan.asking, plan.source, settings, plan.quota and replace(plan.quota, seed=seed)
    )
    made = build_batch(drawn, [image]).conversations(plan.source)
    return tuple(item for conversation in made for item in conversation.instructions)


def settled(**options: Any) -> QuestionOptions:
    """Settings whose limits are given beside the other fields."""
    limits = {
        item.name: options.pop(item.name) for item in fields(ObjectLimits) if item.name in options
    }
    return QuestionOptions(**options, limits=ObjectLimits(**limits))


def check_options(annotations: AnnotationSet, settings: QuestionOptions) -> None:
    """Raises InputError where the settings cannot be used, or not with these annotations."""
    source, objectives = annotations.source, settings.objectives
    for name in objectives:
        known.get(name)
    if not objectives or len(set(objectives)) < len(objectives):
        raise InputError(
            f"objectives {','.join(objectives)!r}: name at least one, none of them twice; "
            f"known: {', '.join(known.names())}"
        )
    for relation in settings.spatial:
        if relation not in RELATIONS:
            raise InputError(f"no spatial relation {relation!r}; known: {', '.join(RELATIONS)}")
    if settings.per_category is not None and settings.per_category < 1:
        raise InputError(f"per_category must be at least 1, not {settings.per_category}")
    if "caption" in objectives and not any(image.captions for image in annotations.images):
        raise InputError(f"{source}: has no captions for the objective caption; give their file")
    for name in annotations.categories:
        if "{" in name or "}" in name:  # a template could take them for a place to fill
            raise InputError(f"{source}: rename the category {name!r}, without braces")


@uncollected()
def lowest_ranks(plan: QuestionPlan, images: Sequence[AnnotatedImage]) -> LowestRanks:
    """The lowest ranks of a batch, for its share in the quota."""
    settings = plan.settings
    unused: Counter[str] = Counter()  # what is left out is counted when the rows are made
    batch = ImageBatch(_filter_objects(images, settings, unused), plan.asking.categories)
    ranks = (
        rank
        for part in _ask_objectives(batch, plan)
        for image, items in _group_by_image(part, batch)
        for rank in rank_instructions(image.id, items, settings.seed)
    )
    return keep_lowest(ranks, settings.per_category or 0)
