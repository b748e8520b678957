"""Is it there? Questions about object hallucination.

Two things that are there and two that are not are asked for, drawn by seed, as in
arXiv 2404.07449: yes and no are equally often right. So they are with one of both, where images
show one category each.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence

from locvlm.evaluation.metrics.yes_no import CHOICES
from locvlm.evaluation.task import Mark, Question
from locvlm.geometry import Size
from locvlm.instructions.base import Instruction

EACH = 2  # present ones, and absent ones, per picture


def draw_objects(
    present: Sequence[str],
    absent: Sequence[str],
    key: str,
    skipped: Counter[str],
    *,
    each: int = EACH,
) -> list[tuple[str, str]]:
    """`each` of both with the right answer (yes, yes, no, no), by the random `key`.

    None, and counted in `skipped`, where there are fewer.
    """
    for names, what in ((present, "present"), (absent, "absent")):
        if len(names) < each:
            least = f"fewer than {each} categories" if each > 1 else "no category"
            skipped[f"{least} {what}"] += 1
            return []
    rng = random.Random(key)
    drawn = [(name, "yes") for name in rng.sample(present, each)]
    return drawn + [(name, "no") for name in rng.sample(absent, each)]


def choose_each(known: Iterable[tuple[Sequence[str], Sequence[str]]]) -> int:
    """How many of both to ask about in each image of a data set: two, or one where two are rare.

    Args:
        known: the categories present and absent in each image.

    Returns:
        `EACH`; 1 where most images with objects hold a single category, or none has two of both.
    """
    counts = [(len(present), len(absent)) for present, absent in known if present]
    several = sum(present >= EACH for present, _ in counts)
    possible = any(min(pair) >= EACH for pair in counts)
    return EACH if possible and 2 * several >= len(counts) else 1


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
