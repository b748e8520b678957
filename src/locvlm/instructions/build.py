"""From annotated pictures to instructions, in memory. On disk: see `build_files`.

`QuestionOptions` say what is asked; `make_plan` decides it for a data set; `ask_about_batch` asks
about some of its pictures, wherever and in whatever order that is done.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter

import numpy as np

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.columns import ColumnarImages
from locvlm.errors import InputError
from locvlm.instructions import objectives
from locvlm.instructions.absence_range import ABSENCES, AbsenceRange
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.batch_result import BatchResult
from locvlm.instructions.even_absences import find_even_range, is_surely_even, needs_balance
from locvlm.instructions.filters import (
    UNDESCRIBED,
    ObjectLimits,
    check_descriptions,
    drop_unusable_descriptions,
)
from locvlm.instructions.instruction_columns import InstructionGroup, InstructionList
from locvlm.instructions.negatives import NegativeChoice, make_negative_chooser
from locvlm.instructions.objectives import RELATIONS, LocationChoice, Objective, QuestionContext
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
from locvlm.runtime.garbage_collection import pause_collection

AT_ONCE = 4096  # pictures that are counted together
PAPER_OBJECTIVES = ("locpred", "negpred", "revloc")


@dataclass(frozen=True)
class QuestionOptions:
    """What is asked about pictures, and how. The same options give the same questions."""

    objectives: tuple[str, ...] = PAPER_OBJECTIVES  # names, see `objectives.names`
    location: LocationChoice = (
        "box"  # say where by boxes, by centers, or by either, drawn each time
    )
    seed: int = 0  # of all that is drawn
    negatives: NegativeChoice = "random"  # which absent categories are asked about
    spatial: tuple[str, ...] = RELATIONS[:2]  # relations that the objective spatial asks about
    limits: ObjectLimits = field(default_factory=ObjectLimits)  # of objects that are asked about
    templates: Templates = field(default_factory=Templates)  # in place of the objectives' own
    per_category: int | None = None  # questions per category and objective; None: all
    unboxed: bool = False  # categories without a box in the whole set are asked about as absent
    described_only: bool = False  # locpred and revloc leave out objects without a description
    # Of negpred in a picture; None: the usual, in a build from files those of `choose_absences`
    absences: AbsenceRange | None = None


@dataclass(frozen=True)
class QuestionPlan:
    """What it takes to ask about pictures, whichever they are: an engine sends it once."""

    context: QuestionContext
    source: str
    options: QuestionOptions
    quota: Quota | None = None


@dataclass(frozen=True)
class BuildResult:
    """What was made, and what was left out."""

    conversations: list[Conversation]  # one per picture, in the order of the annotations
    counts: Counter[str]  # objective -> instructions, 0 where it gave none
    drops: Counter[str]  # reason -> how many; the reader's drops included


def build(annotations: AnnotationSet, options: QuestionOptions | None = None) -> BuildResult:
    """All instructions of all pictures, in memory.

    What is asked about a picture depends on the seed, its id and the objective alone: neither other
    pictures nor other objectives change it. Pictures that give no instruction are left out.

    Raises:
        InputError: as `check_options`.
    """
    options = options or QuestionOptions()
    check_options(annotations, options)
    plan = make_plan(annotations, options)
    if options.per_category is not None:
        plan = limit_plan(plan, [lowest_ranks(plan, annotations.images)])
    result = ask_about_batch(plan, annotations.images)
    conversations = result.conversations(plan.source)
    return BuildResult(conversations, result.counts, result.drops + annotations.drops)


def check_options(annotations: AnnotationSet, options: QuestionOptions) -> None:
    """Raises InputError where the options cannot be used, or not with these annotations.

    That is an unknown or repeated objective, captions or descriptions asked for and none there, a
    category with braces in its name, or a number out of range.
    """
    source, names = annotations.source, options.objectives
    chosen = [objectives.get(name) for name in names]
    if not names or len(set(names)) < len(names):
        raise InputError(
            f"objectives {','.join(names)!r}: name at least one, none of them twice; "
            f"known: {', '.join(objectives.names())}"
        )
    for relation in options.spatial:
        if relation not in RELATIONS:
            raise InputError(f"no spatial relation {relation!r}; known: {', '.join(RELATIONS)}")
    if options.per_category is not None and options.per_category < 1:
        raise InputError(f"per_category must be at least 1, not {options.per_category}")
    if options.absences is not None and "negpred" not in names:
        raise InputError("absences are of negpred, which is not among the objectives; name it too")
    for objective in chosen:
        if objective.needs_captions and not any(image.captions for image in annotations.images):
            raise InputError(
                f"{source}: has no captions for the objective {objective.name}; give their file"
            )
    if options.described_only:
        check_descriptions(annotations, names)
    for name in annotations.categories:
        if "{" in name or "}" in name:  # a template could take them for a place to fill
            raise InputError(f"{source}: rename the category {name!r}, without braces")


def make_plan(annotations: AnnotationSet, options: QuestionOptions) -> QuestionPlan:
    """The plan of a data set; it is counted once where its negatives need that."""
    context = QuestionContext(
        annotations.categories,
        options.location,
        make_negative_chooser(annotations, options.negatives),
        options.spatial,
        options.templates,
        annotations.sought(unboxed=options.unboxed),
        options.described_only,
        options.absences or ABSENCES,
    )
    return QuestionPlan(context, annotations.source.name, options)


def choose_absences(annotations: AnnotationSet, options: QuestionOptions) -> AbsenceRange:
    """The least and the most absences in a picture, so that they do not outnumber what is there."""
    images, names = annotations.images, options.objectives
    all_named = "revloc" in names and not options.limits and not options.described_only
    if not needs_balance(names) or (all_named and is_surely_even(images)):
        return ABSENCES
    context = QuestionContext(
        annotations.categories,
        sought=annotations.sought(unboxed=options.unboxed),
        described_only=options.described_only,
    )
    unused: Counter[str] = Counter()
    batches = (
        ImageBatch(
            _filter_objects(images[start : start + AT_ONCE], options, unused), context.categories
        )
        for start in range(0, len(images), AT_ONCE)
    )
    return find_even_range(batches, context, names)


def limit_plan(plan: QuestionPlan, ranks: Iterable[LowestRanks]) -> QuestionPlan:
    """The plan with its quota, from the lowest ranks of all batches (see `lowest_ranks`)."""
    assert plan.options.per_category is not None
    quota = compute_quota(ranks, plan.options.per_category, plan.options.seed)
    return replace(plan, quota=quota)


@pause_collection()
def lowest_ranks(plan: QuestionPlan, images: Sequence[AnnotatedImage]) -> LowestRanks:
    """The lowest ranks of a batch, for its share in the quota."""
    options = plan.options
    unused: Counter[str] = Counter()  # what is left out is counted when the questions are asked
    batch = ImageBatch(_filter_objects(images, options, unused), plan.context.categories)
    ranks = (
        rank
        for group in _ask_objectives(batch, plan)
        for image, items in _group_by_image(group, batch)
        for rank in rank_instructions(image.id, items, options.seed)
    )
    return keep_lowest(ranks, options.per_category or 0)


def ask_about_batch(plan: QuestionPlan, images: Sequence[AnnotatedImage]) -> BatchResult:
    """What is asked about some pictures."""
    drops: Counter[str] = Counter()
    drops["crowds, not asked about"] += _count_crowds(images)
    batch = ImageBatch(_filter_objects(images, plan.options, drops), plan.context.categories)
    if plan.context.described_only:
        drops[UNDESCRIBED] += int((~batch.objects.crowds).sum()) - len(batch.described)
    asked = groups = _ask_objectives(batch, plan)
    if plan.quota:
        within = [_apply_quota(group, batch, plan.quota) for group in groups]
        drops["questions beyond per_category"] += sum(map(len, groups)) - sum(map(len, within))
        groups = within
    image_index = np.concatenate([group.image_index for group in groups])
    counts = np.bincount(image_index, minlength=len(batch))
    drops["pictures without instructions"] += int((counts == 0).sum())
    return BatchResult(batch.images.bare, groups, +drops, batch, asked)


def ask_about_image(
    plan: QuestionPlan, image: AnnotatedImage, seed: int, names: Collection[str]
) -> tuple[Instruction, ...]:
    """Questions about a picture, or a part of one, drawn by another seed than the data set's.

    By the plan's own seed, they are those of the data set.

    Args:
        plan: of the data set.
        image: which may be cut out of one of the data set's.
        seed: of all that is drawn.
        names: of objectives; the plan's others are left out.
    """
    chosen = tuple(name for name in plan.options.objectives if name in names)
    if not chosen:
        return ()
    options = replace(plan.options, seed=seed, objectives=chosen)
    quota = plan.quota and replace(plan.quota, seed=seed)
    result = ask_about_batch(replace(plan, options=options, quota=quota), [image])
    return tuple(item for each in result.conversations(plan.source) for item in each.instructions)


def _count_crowds(images: Sequence[AnnotatedImage]) -> int:
    if isinstance(images, ColumnarImages):
        return int(images.objects.crowds.sum())
    return sum(item.crowd for image in images for item in image.objects)


def _filter_objects(
    images: Sequence[AnnotatedImage], options: QuestionOptions, drops: Counter[str]
) -> Sequence[AnnotatedImage]:
    """The pictures with what cannot or shall not be asked about marked or left out, and counted."""
    plain = isinstance(images, ColumnarImages) and images.objects.descriptions is None
    if plain and not options.limits:
        return images
    return [
        options.limits.apply(drop_unusable_descriptions(image, drops), drops) for image in images
    ]


def _ask_objectives(batch: ImageBatch, plan: QuestionPlan) -> list[InstructionGroup]:
    """What each objective asks."""
    seed = plan.options.seed
    keys = image_keys(seed, (image.id for image in batch.images.bare))
    groups = list[InstructionGroup]()
    for objective in map(objectives.get, plan.options.objectives):
        if objective.ask_batch is not None:
            own_keys = objective_keys(keys, objective.name)
            groups.append(objective.ask_batch(batch, plan.context, own_keys))
        else:
            groups.append(_ask_one_by_one(objective, batch, plan.context, seed))
    return groups


def _ask_one_by_one(
    objective: Objective, batch: ImageBatch, context: QuestionContext, seed: int
) -> InstructionList:
    image_index, instructions = list[int](), list[Instruction]()
    for number, image in enumerate(batch.images):
        rng = random.Random(f"{seed}/{image.id}/{objective.name}")
        items = objective.ask(image, context, rng)
        image_index += [number] * len(items)
        instructions += items
    return InstructionList(objective.name, np.array(image_index, np.int64), instructions)


def _apply_quota(group: InstructionGroup, batch: ImageBatch, quota: Quota) -> InstructionGroup:
    marks = [
        mark
        for image, items in _group_by_image(group, batch)
        for mark in quota.keeps(image.id, items)
    ]
    return group.take(np.array(marks, np.bool_))


def _group_by_image(
    group: InstructionGroup, batch: ImageBatch
) -> Iterator[tuple[AnnotatedImage, list[Instruction]]]:
    """The instructions of each picture that has any."""
    pairs = zip(group.image_index.tolist(), group.to_list(), strict=True)
    for number, items in groupby(pairs, key=itemgetter(0)):
        yield batch.images.bare[number], [item for _, item in items]
