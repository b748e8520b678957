"""What the visits of a stage come to, where a recipe's data are there: sizes, questions, tokens.

Visits are drawn as the run would draw them, from the first pictures of each data set. Tokens are
those of the model's own tokenizer where the model lies on this computer, else mean ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import fmean

from locvlm.geometry import Frame, Size
from locvlm.instructions.base import Conversation
from locvlm.instructions.dataset import MANIFEST, read_manifest, stream_dataset, stream_objectives
from locvlm.instructions.render import render
from locvlm.models import folders, load
from locvlm.models.chat_tokens import ChatTokens
from locvlm.training.data.asked import check_asked
from locvlm.training.data.sampler import VisitSampler
from locvlm.training.plan.turns import mean_turn
from locvlm.training.recipe import Recipe, Stage
from locvlm.training.start import given_format, resolve_format, show_as_told

MAX_IMAGES = 2048  # of each data set, at most
VISITS = 256  # of a stage, at most


@dataclass(frozen=True)
class VisitLengths:
    """A picture and what is asked about it."""

    size: Size  # (width, height) in pixels
    questions: int
    asked: int  # tokens of a question
    learned: int  # tokens of an answer


@dataclass(frozen=True)
class StageVisits:
    """Two visits that stand for those of a stage."""

    count: int  # of visits that were looked at
    usual: VisitLengths  # the mean of them, with the size in the middle; time is planned with it
    largest: VisitLengths  # the longest text, with the largest picture; memory is planned with it

    @classmethod
    def of(cls, visits: list[VisitLengths]) -> StageVisits:
        """Of one visit or more."""
        total = sum(visit.questions for visit in visits)
        asked = sum(visit.asked * visit.questions for visit in visits) / total
        learned = sum(visit.learned * visit.questions for visit in visits) / total
        sizes = sorted((visit.size for visit in visits), key=_area)
        questions = max(1, round(fmean(visit.questions for visit in visits)))
        usual = VisitLengths(
            sizes[len(sizes) // 2], questions, math.ceil(asked), math.ceil(learned)
        )
        longest = max(
            visits,
            key=lambda visit: visit.questions * (visit.asked + visit.learned),
        )
        return cls(len(visits), usual, replace(longest, size=sizes[-1]))


def draw_visits(recipe: Recipe) -> dict[str, StageVisits]:
    """Of each stage that asks questions; nothing where any of the data is not here.

    Raises:
        InputError: data that are here cannot be read, or have no such questions.
    """
    folders = [Path(name) for name in recipe.data]
    asking = {name: stage for name, stage in recipe.stages.items() if stage.questions}
    if not asking or not has_data(recipe):
        return {}
    check_asked(recipe, {folder: read_manifest(folder).counts for folder in folders})
    conversations = [c for folder in folders for c in islice(stream_dataset(folder), MAX_IMAGES)]
    measure = _length_measurer(recipe)
    return {
        name: StageVisits.of([measure(one) for one in _visits(recipe, name, stage, conversations)])
        for name, stage in asking.items()
    }


def has_data(recipe: Recipe) -> bool:
    """Whether all data sets of a recipe are here."""
    return bool(recipe.data) and all(Path(name, MANIFEST).exists() for name in recipe.data)


def count_images(recipe: Recipe, stage: Stage) -> int:
    """The images of data sets that are here which a stage has something to ask about.

    As a run counts them, but that it leaves out images that are gone, and what is not seen.

    Raises:
        InputError: the data cannot be read.
    """
    folders = [Path(name) for name in recipe.data]
    if stage.trains == "naming":
        return sum(read_manifest(folder).pictures for folder in folders)
    return sum(
        not asked.isdisjoint(stage.questions)
        for folder in folders
        for asked in stream_objectives(folder)
    )


def _visits(
    recipe: Recipe, name: str, stage: Stage, conversations: list[Conversation]
) -> list[Conversation]:
    most = 1 if stage.reinforce else stage.max_questions
    seed = f"{recipe.seed}/{name}"
    visits = VisitSampler(conversations, stage.questions, most, flip=recipe.flip, seed=seed)
    count = min(VISITS, stage.total_steps * stage.images, len(visits.conversations))
    return [visits.visit(number).conversation for number in range(count)]


def _length_measurer(recipe: Recipe) -> Callable[[Conversation], VisitLengths]:
    """What tells a visit's lengths."""
    if recipe.parts is not None or not (
        recipe.model in folders.names() or Path(recipe.model).is_dir()
    ):
        return lambda one: _visit_lengths(
            one, [mean_turn(item.objective) for item in one.instructions]
        )
    processor, coordinate_format = load.load_processor(
        recipe.model, recipe.frames or None, speech=given_format(recipe)
    )
    processor = show_as_told(recipe, processor)
    coordinates, chat = resolve_format(recipe, coordinate_format), ChatTokens(processor)

    def look(one: Conversation) -> VisitLengths:
        size = (one.width, one.height)
        frame: Frame = coordinates.frame_on(processor, size)
        turns = [chat.turn(*render(item, coordinates, frame)) for item in one.instructions]
        return _visit_lengths(one, [(len(turn.asked), len(turn.answered)) for turn in turns])

    return look


def _visit_lengths(one: Conversation, turns: list[tuple[int, int]]) -> VisitLengths:
    asked, learned = (math.ceil(fmean(turn[place] for turn in turns)) for place in (0, 1))
    return VisitLengths((one.width, one.height), len(turns), asked, learned)


def _area(size: Size) -> float:
    return size[0] * size[1]
