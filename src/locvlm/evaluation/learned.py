"""Which questions are about images that the model learned from, by content (`learned_images`).

Their answers may be remembered: they are counted, and scored apart from the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from locvlm.errors import InputError
from locvlm.evaluation.ask_model import Answerer
from locvlm.evaluation.intervals import Score
from locvlm.evaluation.learned_asked import LearnedAsked
from locvlm.evaluation.samples import mean_scores
from locvlm.evaluation.task import Question, ScoredAnswer, Task
from locvlm.media.fingerprints import find_copies, read_fingerprints
from locvlm.models.learned_images import LearnedImages, learned_by


def find_learned(predictor: Answerer, folder: Path, names: Collection[str]) -> LearnedAsked | None:
    """Of the images of a run; None: the model does not say what it learned from.

    Raises:
        InputError: its record cannot be read.
    """
    learned = _read_record(predictor)
    if learned is None:
        return None
    asked = sorted(names)
    found = find_copies(read_fingerprints(folder, asked), learned.prints)
    images = {name: how for name, how in zip(asked, found, strict=True) if how}
    return LearnedAsked(len(learned.prints), images, learned.unknown)


def _read_record(predictor: Answerer) -> LearnedImages | None:
    if not predictor.digest:  # no files of its own
        return None
    try:
        return learned_by(predictor.name)
    except InputError as error:
        if "learned_images" in str(error):
            raise
        return None  # no name of a model that lies here


def count_learned(
    learned: LearnedAsked | None, answered: Iterable[Question]
) -> dict[str, Any] | None:
    """What ``scores.json`` says of it; None: nothing is known."""
    if learned is None:
        return None
    questions = [q.image for q in answered if q.image in learned.images]
    images = sorted(set(questions))
    return {
        "images": len(images),
        "questions": len(questions),
        "how": dict(Counter(learned.images[name] for name in images)),
        "known": learned.known,
        "unknown": list(learned.unknown),
        "names": images,
    }


def divide_rows(
    task: Task, rows: Sequence[ScoredAnswer], learned: Collection[str]
) -> dict[str, list[int]]:
    """The places of the rows about images that were learned from, and of the others.

    Nothing where all or none of them are.
    """
    seen = [place for place, row in enumerate(rows) if row.image in learned]
    unseen = [place for place, row in enumerate(rows) if row.image not in learned]
    parts = {name_unseen(task): unseen, name_unseen(task, "learned"): seen}
    return parts if seen and unseen else {}


def name_unseen(task: Task, part: str = "unseen") -> str:
    """What the names of the scores on images that were not learned from begin with."""
    return f"{part} {'clips' if task.card.clips else 'pictures'}/"


def score_apart(
    task: Task, samples: Sequence[Sequence[ScoredAnswer]], learned: Collection[str], *, seed: int
) -> dict[str, Score]:
    """The headlines of both parts, named as ``unseen pictures/mean IoU``."""
    found: dict[str, Score] = {}
    for part, places in divide_rows(task, samples[0], learned).items():
        of_part = [[rows[k] for k in places] for rows in samples]
        scores = mean_scores([task.summarize(rows, seed=seed) for rows in of_part])
        found |= {part + name: scores[name] for name in task.headlines if name in scores}
    return found


def describe_learned(result: Mapping[str, Any]) -> str:
    """In a sentence, without its full stop, from ``scores.json``; empty: it does not say."""
    if "learned" not in result:
        return ""
    model, learned = result["model"], result["learned"]
    if learned is None:
        return f"Which images {model} learned from is not known"
    before = f"; what {', '.join(learned['unknown'])} learned from before is not known"
    rest = before if learned["unknown"] else ""
    if not learned["images"]:
        return (
            f"None of the images is among the {learned['known']:,} that {model} learned from{rest}"
        )
    kinds = {"equal": "equal files", "near": "nearly equal pixels"}
    how = ", ".join(f"{kinds[kind]}: {count}" for kind, count in learned["how"].items())
    apart = ", scored apart" if learned["images"] < result["pictures"] else ""
    return (
        f"Model {model} learned from {learned['images']} of these {result['pictures']} images "
        f"({how}): "
        f"{learned['questions']} of {result['questions']} questions{apart}{rest}"
    )
