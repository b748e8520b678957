"""What a look looks at: a seeded sample, the same at every look; whole images as they are."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives import locpred
from locvlm.instructions.visible import FieldOfView
from locvlm.training.data.dataset import TrainingData
from locvlm.training.data.sampler import VisitSampler
from locvlm.training.recipe import Stage
from locvlm.training.validation.schedule import Schedule

T = TypeVar("T")

EACH = 2  # objects to locate, and categories to ask about, of an image


@dataclass(frozen=True)
class AskedImage:
    """An image, and what is asked about it."""

    path: Path
    objects: tuple[Object, ...]  # to locate: each the only one of its category there
    present: tuple[str, ...]  # categories: is there one? yes
    absent: tuple[str, ...]  # no


@dataclass(frozen=True)
class Sample:
    """Of held-out images, or of images that are trained on."""

    visits: VisitSampler  # whose first `images` are read for the loss
    images: int
    asked: tuple[AskedImage, ...]

    @property
    def measured(self) -> frozenset[str]:
        """The figures that it gives."""
        where = {"iou", "accuracy"} if any(one.objects for one in self.asked) else set()
        whether = any(one.present or one.absent for one in self.asked)
        return frozenset({"loss", *where, *(["presence"] * whether)})


def draw_sample(data: TrainingData, stage: Stage, schedule: Schedule, seed: str) -> Sample:
    """A sample of what a stage would be asked about these images, neither mirrored nor cropped.

    Args:
        data: images with their questions.
        stage: whose questions are asked.
        schedule: how many.
        seed: of all that is drawn.

    Raises:
        InputError: there is none of the stage's questions.
    """
    visits = VisitSampler(
        data.conversations, stage.questions, stage.max_questions, flip=False, seed=seed
    )
    images = min(schedule.images, len(visits.conversations))
    return Sample(visits, images, tuple(_draw_asked(data, schedule.questions, seed)))


def _draw_asked(data: TrainingData, count: int, seed: str) -> Iterator[AskedImage]:
    """Images with `count` objects to locate together, and as many questions of yes and of no."""
    known = {conversation.image for conversation in data.conversations}
    annotated = [one for one in data.annotated if str(one[0]) in known]
    boxed = {item.category for _, image, _ in annotated for item in image.objects}
    chance = random.Random(f"{seed}/asked")
    chance.shuffle(annotated)
    left = {"objects": count, "present": (count + 1) // 2, "absent": count // 2}
    for path, image, names in annotated:
        if not any(left.values()):
            return
        singles = _draw(_keep_seen(image.single_instances(), image, data.view), chance)
        there = sorted({item.category for item in image.objects if not item.crowd})
        absent = [name for name in image.absent_of(names) if name in boxed]
        found = AskedImage(
            path,
            tuple(singles[: left["objects"]]),
            tuple(_draw(there, chance)[: min(1, left["present"])]),
            tuple(_draw(absent, chance)[: min(1, left["absent"])]),
        )
        for kind in left:
            left[kind] -= len(getattr(found, kind))
        if found.objects or found.present or found.absent:
            yield found


def _draw(items: Sequence[T], chance: random.Random) -> list[T]:
    """At most `EACH` of them."""
    return chance.sample(items, min(EACH, len(items)))


def _keep_seen(
    objects: Iterable[Object], image: AnnotatedImage, view: FieldOfView | None
) -> list[Object]:
    """Those that the model sees."""
    if view is None:
        return list(objects)
    asked = {
        item: Instruction(locpred.NAME, "", locpred.ANSWER, (item.box,), category=item.category)
        for item in objects
    }
    return [item for item, one in asked.items() if view.keep_items((one,), image)]
