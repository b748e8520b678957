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
from locvlm.instructions.quota import Lowest, Quota, lowest, quota, ranked
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.filters import Limits, usable_descriptions
from locvlm.instructions.negatives import Choice, negatives
from locvlm.instructions.objectives import RELATIONS, Asking, Places
from locvlm.instructions.objectives.image_batch import Batch
from locvlm.instructions.objectives.random_draws import keys_for, keys_of
from locvlm.instructions.instruction_columns import Made, Part, Single
from locvlm.instructions.templates import Templates
from locvlm.runtime.garbage_collection import uncollected

PAPER = ("locpred", "negpred", "revloc")


@dataclass(frozen=True)
class Settings:
    """What is asked about pictures, and how. The same settings give the same questions."""

    objectives: tuple[str, ...] = PAPER  # names (see `locvlm.instructions.objectives.names`)
    location: Places = "box"  # say where by boxes, by centers, or by either, drawn each time
    seed: int = 0  # of all that is drawn
    negatives: Choice = "random"  # which absent categories are asked about
    spatial: tuple[str, ...] = RELATIONS[:2]  # relations that the objective spatial asks about
    limits: Limits = field(default_factory=Limits)  # of the objects that are asked about
    templates: Templates = field(default_factory=Templates)  # in place of the objectives' own
    per_category: int | None = None  # questions per category and objective; None: all


@dataclass(frozen=True)
class Built:
    """What was made, and what was left out."""

    conversations: list[Conversation]  # one per picture, in the order of the annotations
    counts: Counter[str]  # objective -> instructions, 0 where it gave none
    drops: Counter[str]  # reason -> how many; the reader's drops included


@dataclass(frozen=True)
class Plan:
    """What it takes to ask about pictures, whichever they are: an engine sends it once."""

    asking: Asking
    source: str
    settings: Settings
    quota: Quota | None = None


def build(annotations: AnnotationSet, objectives: Sequence[str] = PAPER, **options: Any) -> Built:
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
    check(annotations, settings)
    plan, images = planned(annotations, settings), annotations.images
    if settings.per_category is not None:
        kept = quota([lowest_ranks(plan, images)], settings.per_category, settings.seed)
        plan = replace(plan, quota=kept)
    made = make(plan, images)
    conversations = made.conversations(plan.source)
    return Built(conversations, made.counts, made.drops + annotations.drops)


def planned(data: AnnotationSet, settings: Settings) -> Plan:
    """The plan of a data set; it is counted once where its negatives need that."""
    chooser = negatives(data, settings.negatives)
    asking = Asking(
        data.categories, settings.location, chooser, settings.spatial, settings.templates
    )
    return Plan(asking, data.source.name, settings)


def make(plan: Plan, images: Sequence[AnnotatedImage]) -> Made:
    """Ask about some pictures."""
    drops: Counter[str] = Counter()
    drops["crowds, not asked about"] += _crowds(images)
    batch = Batch(_usable(images, plan.settings, drops), plan.asking.categories)
    parts = _parts(batch, plan)
    if plan.quota:
        kept = [_kept(part, batch, plan.quota) for part in parts]
        drops["questions beyond per_category"] += sum(map(len, parts)) - sum(map(len, kept))
        parts = kept
    asked = np.bincount(np.concatenate([part.pictures for part in parts]), minlength=len(batch))
    drops["pictures without instructions"] += int((asked == 0).sum())
    return Made(batch.images.bare, parts, +drops)


def _crowds(images: Sequence[AnnotatedImage]) -> int:
    if isinstance(images, ColumnarImages):
        return int(images.objects.crowds.sum())
    return sum(item.crowd for image in images for item in image.objects)


def _usable(
    images: Sequence[AnnotatedImage], settings: Settings, drops: Counter[str]
) -> Sequence[AnnotatedImage]:
    """The pictures with what cannot or shall not be asked about marked or left out, and counted."""
    plain = isinstance(images, ColumnarImages) and images.objects.descriptions is None
    if plain and not settings.limits:
        return images
    return [settings.limits.apply(usable_descriptions(image, drops), drops) for image in images]


def _parts(batch: Batch, plan: Plan) -> list[Part]:
    """What each objective asks."""
    seed, parts = plan.settings.seed, list[Part]()
    keys = keys_of(seed, (image.id for image in batch.images.bare))
    for name in plan.settings.objectives:
        if ask := known.of_batches(name):
            parts.append(ask(batch, plan.asking, keys_for(keys, name)))
        else:
            parts.append(_one_by_one(name, batch, plan.asking, seed))
    return parts


def _one_by_one(name: str, batch: Batch, asking: Asking, seed: int) -> Single:
    make_of = known.get(name)
    pictures, made = list[int](), list[Instruction]()
    for picture, image in enumerate(batch.images):
        some = make_of(image, asking, random.Random(f"{seed}/{image.id}/{name}"))
        pictures += [picture] * len(some)
        made += some
    return Single(name, np.array(pictures, np.int64), made)


def _kept(part: Part, batch: Batch, quota: Quota) -> Part:
    """What is within the quota."""
    marks = [
        mark for image, items in _by_picture(part, batch) for mark in quota.keeps(image.id, items)
    ]
    return part.take(np.array(marks, np.bool_))


def _by_picture(part: Part, batch: Batch) -> Iterator[tuple[AnnotatedImage, list[Instruction]]]:
    """The instructions of each picture that has any."""
    pairs = zip(part.pictures.tolist(), part.instructions(), strict=True)
    for picture, items in groupby(pairs, key=itemgetter(0)):
        yield batch.images.bare[picture], [item for _, item in items]


def ask(
    plan: Plan, image: AnnotatedImage, seed: int, objectives: Collection[str]
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
    drawn = Plan(plan.asking, plan.source, settings, plan.quota and replace(plan.quota, seed=seed))
    made = make(drawn, [image]).conversations(plan.source)
    return tuple(item for conversation in made for item in conversation.instructions)


def settled(**options: Any) -> Settings:
    """Settings whose limits are given beside the other fields."""
    limits = {item.name: options.pop(item.name) for item in fields(Limits) if item.name in options}
    return Settings(**options, limits=Limits(**limits))


def check(annotations: AnnotationSet, settings: Settings) -> None:
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
def lowest_ranks(plan: Plan, images: Sequence[AnnotatedImage]) -> Lowest:
    """The lowest ranks of a batch, for its share in the quota."""
    settings = plan.settings
    unused: Counter[str] = Counter()  # what is left out is counted when the rows are made
    batch = Batch(_usable(images, settings, unused), plan.asking.categories)
    ranks = (
        rank
        for part in _parts(batch, plan)
        for image, items in _by_picture(part, batch)
        for rank in ranked(image.id, items, settings.seed)
    )
    return lowest(ranks, settings.per_category or 0)
