"""Is it there? Questions about object hallucination.

Two things that are there and two that are not are asked for, drawn by seed, as in
arXiv 2404.07449: yes and no are equally often right.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from locvlm.evaluation.metrics.yes_no import CHOICES
from locvlm.evaluation.task import Mark, Question
from locvlm.geometry import Size
from locvlm.instructions.base import Instruction

_EACH = 2  # present ones, and absent ones, per picture


def draw_objects(
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


def make_question(
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
