"""Is it there? What the tasks about object hallucination share.

Two things that are there and two that are not are asked for, drawn by seed, as in
arXiv 2404.07449: yes and no are equally often right.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence

from locvlm.evaluation.metrics import Score, rate
from locvlm.evaluation.questions import Mark, Outcome, Question, Reading, Scored
from locvlm.geometry import Size
from locvlm.instructions.base import Instruction

HIT = 'a no where the object is absent, no "no" where it is present'
HEADLINES = ("accuracy", "accuracy present", "accuracy absent")

CHOICES = ("Yes", "No")

_EACH = 2  # present ones, and absent ones, per picture
_NO = re.compile(r"\b(?:no|nope|none|not|cannot)\b|n['’]t\b", re.IGNORECASE)


def draw(
    present: Sequence[str], absent: Sequence[str], key: str, skipped: Counter[str]
) -> list[tuple[str, str]]:
    """Two of each with the right answer (yes, yes, no, no), by the random `key`.

    None, and counted in `skipped`, where there are fewer.
    """
    if len(present) < _EACH:
        skipped[f"fewer than {_EACH} categories present"] += 1
        return []
    if len(absent) < _EACH:
        skipped[f"fewer than {_EACH} categories absent"] += 1
        return []
    rng = random.Random(key)
    drawn = [(name, "yes") for name in rng.sample(present, _EACH)]
    return drawn + [(name, "no") for name in rng.sample(absent, _EACH)]


def question(
    task: str,
    source: int | str,
    image: str,
    category: str,
    expected: str,
    *,
    kind: str = "image",
    size: Size | None = None,
    marks: tuple[Mark, ...] = (),
) -> Question:
    """Is there `category` in this image?

    Args:
        task: its name.
        source: id of the picture or video.
        image: file name, relative to the folder of the pictures.
        category: what is asked for.
        expected: "yes" or "no".
        kind: "image" or "video".
        size: of the picture, original pixels.
        marks: where it is.
    """
    return Question(
        id=f"{source}/{category}",
        image=image,
        size=size,
        instruction=Instruction(
            task, f"Is there {category} in this {kind}?", expected.capitalize()
        ),
        expected=expected,
        meta={"category": category},
        choices=CHOICES,
        marks=marks,
    )


def score(question: Question, answer: str, reading: Reading) -> Outcome:
    """An answer with "no", "nope", "none", "not", "cannot" or "…n't" is a no; others are a yes."""
    yes = _NO.search(answer) is None
    hit = yes == (question.expected == "yes")
    return Outcome(hit, {"yes": yes})


def summarize(rows: Sequence[Scored], *, seed: int) -> dict[str, Score]:
    """Accuracy; precision and recall of "yes"; how often "yes" is said (half would be right)."""
    return {
        "accuracy": rate(row.hit for row in rows),
        "accuracy present": rate(row.hit for row in rows if row.expected == "yes"),
        "accuracy absent": rate(row.hit for row in rows if row.expected == "no"),
        **yes_scores(rows, lambda row: bool(row.values["yes"])),
    }


def yes_scores(rows: Sequence[Scored], yes: Callable[[Scored], bool]) -> dict[str, Score]:
    """Precision and recall of "yes", and its rate among all answers."""
    return {
        "precision": rate(row.expected == "yes" for row in rows if yes(row)),
        "recall": rate(yes(row) for row in rows if row.expected == "yes"),
        "yes-rate": rate(yes(row) for row in rows),
    }
