"""Which images a limited run asks about: a seeded sample, with each category in its share.

The images of a data set have one order, by the seed and their names alone: a limit takes so many
from its beginning. So the sample of 20 is part of that of 30, and a run can go on with more.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from locvlm.errors import InputError
from locvlm.evaluation import run_files
from locvlm.evaluation.run_files import EvaluationRun
from locvlm.evaluation.task import Question, group_by_image
from locvlm.shown.terminal import say

SAMPLE = "a seeded sample in which each category has its share"
FIRST = "the first ones"


def questions_by_image(
    questions: Iterable[Question], limit: int | None, *, seed: int | None
) -> dict[str, list[Question]]:
    """Questions by image, of `limit` images alone.

    Args:
        questions: all that can be asked.
        limit: how many images; None: all, in their own order.
        seed: of the sample, whose order the images then have; None: the first ones are taken, as
            runs of before did.

    Raises:
        InputError: a limit below 1.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit must be at least 1 picture, not {limit}")
    groups = group_by_image(questions)
    if limit is None or seed is None:
        return dict(islice(groups.items(), limit))
    return {name: groups[name] for name in order_images(groups, limit, seed)}


def order_images(groups: Mapping[str, list[Question]], count: int, seed: int) -> list[str]:
    """The first `count` images of the sample's order.

    Each next image has the category that is the furthest behind its share of all images; of those
    with it, the image is drawn by `seed` and name. So the sample is like the whole, and its order
    depends on nothing else: neither on that of the files nor on `count`. The categories are what
    questions are grouped by: all values of their `meta`.

    Args:
        groups: image -> its questions.
        count: of images; all there are, if fewer.
        seed: of the order.
    """
    labels = {name: _labels(group) for name, group in groups.items()}
    known = sorted(set().union(*labels.values()))
    place = {label: number for number, label in enumerate(known)}
    piles: list[list[str]] = [[] for _ in known]  # of each category, the next image last
    for name in sorted(groups, key=lambda name: _draw(seed, name), reverse=True):
        for label in labels[name]:
            piles[place[label]].append(name)
    shares = np.array([len(pile) for pile in piles]) / max(1, len(groups))
    taken, is_open = np.zeros(len(known)), np.ones(len(known), np.bool_)
    chosen: dict[str, None] = {}
    while len(chosen) < min(count, len(groups)):
        behind = np.where(is_open, shares * (len(chosen) + 1) - taken, -np.inf)
        furthest = int(behind.argmax())
        image = _pop_new(piles[furthest], chosen)
        if image is None:
            is_open[furthest] = False
        else:
            chosen[image] = None
            taken[[place[label] for label in labels[image]]] += 1
    return list(chosen)


def takes_first(out: Path) -> bool:
    """Whether the run in a folder was begun with the first images of its limit, as older ones."""
    path = out / run_files.RUN
    if not path.exists():
        return False
    run = run_files.read_json(path, EvaluationRun)
    return run.limit is not None and not run.sampled


def say_first(out: Path, limit: int | None) -> None:
    """That such a run goes on with the first images, where it is limited still."""
    if limit is not None:
        say(
            f"{out}: an older LocVLM began this run with the first pictures, so --limit takes "
            f"the first {limit} here; another --out gets {SAMPLE}",
            file=sys.stderr,
        )


def sample_seed(run: EvaluationRun | None) -> int | None:
    """Of `questions_by_image`, for the answers of a run."""
    return run.seed if run is not None and run.sampled else None


def tell_asked(result: Mapping[str, Any], what: str = "pictures") -> str:
    """How many images a limited run asked about, of how many; "": about all."""
    asked = result.get("asked")
    if not asked:
        return ""
    return f"asked: {asked['images']} of {asked['of_images']} {what}, {asked['how']}"


def _labels(group: Iterable[Question]) -> set[str]:
    return {value for question in group for value in question.meta.values()} or {""}


def _draw(seed: int, name: str) -> bytes:
    return sha256(f"{seed}/{name}".encode()).digest()


def _pop_new(pile: list[str], chosen: Mapping[str, None]) -> str | None:
    """The next image of a category that another has not brought; None: there is none left."""
    while pile:
        name = pile.pop()
        if name not in chosen:
            return name
    return None
