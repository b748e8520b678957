"""From annotated pictures to instructions, in memory. On disk: see `build_files`."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.errors import InputError
from locvlm.garbage import uncollected
from locvlm.instructions import objectives as known
from locvlm.instructions.balance import Key, Lowest, Quota, Rank, lowest, quota, ranked
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.filters import Limits, usable_descriptions
from locvlm.instructions.negatives import Choice, negatives
from locvlm.instructions.objectives import RELATIONS, Asking, Places
from locvlm.instructions.templates import Templates

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
    built = make(plan, images)
    return replace(built, drops=built.drops + annotations.drops)


def planned(data: AnnotationSet, settings: Settings) -> Plan:
    """The plan of a data set; it is counted once where its negatives need that."""
    chooser = negatives(data, settings.negatives)
    asking = Asking(
        data.categories, settings.location, chooser, settings.spatial, settings.templates
    )
    return Plan(asking, data.source.name, settings)


def make(plan: Plan, images: Sequence[AnnotatedImage]) -> Built:
    """What some pictures give, whichever others there are."""
    settings = plan.settings
    conversations = []
    counts = Counter(dict.fromkeys(settings.objectives, 0))
    drops: Counter[str] = Counter()
    for image in images:
        drops["crowds, not asked about"] += sum(item.crowd for item in image.objects)
        image = settings.limits.apply(usable_descriptions(image, drops), drops)
        made = _instructions(image, plan.asking, settings)
        if plan.quota:
            kept = plan.quota.keep(image.id, made)
            drops["questions beyond per_category"] += len(made) - len(kept)
            made = kept
        counts.update(item.objective for item in made)
        drops["pictures without instructions"] += not made
        if made:
            size = (image.width, image.height)
            conversations.append(Conversation(image.file_name, *size, tuple(made), plan.source))
    return Built(conversations, counts, +drops)


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
    settings = replace(plan.settings, seed=seed, objectives=asked)
    drawn = Plan(plan.asking, plan.source, settings, plan.quota and replace(plan.quota, seed=seed))
    return tuple(item for made in make(drawn, [image]).conversations for item in made.instructions)


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
    ranks: list[tuple[Key, Rank]] = []
    for image in images:
        image = settings.limits.apply(usable_descriptions(image, unused), unused)
        ranks += ranked(image.id, _instructions(image, plan.asking, settings), settings.seed)
    return lowest(ranks, settings.per_category or 0)


def _instructions(image: AnnotatedImage, asking: Asking, settings: Settings) -> list[Instruction]:
    made: list[Instruction] = []
    for name in settings.objectives:
        rng = random.Random(f"{settings.seed}/{image.id}/{name}")
        made += known.get(name)(image, asking, rng)
    return made
