"""What both models are asked: the tasks that the held-out photos allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.ask_model import batch_questions
from locvlm.evaluation.fitting import tasks_for
from locvlm.evaluation.limited import questions_by_image
from locvlm.evaluation.proof.prove import TASKS
from locvlm.evaluation.task import Sources, group_by_view
from locvlm.instructions.dataset import read_objects
from locvlm.tuning.budget import QuestionChunk
from locvlm.tuning.data import TuningData


@dataclass(frozen=True)
class Questions:
    """The questions of a tuning, and where they come from."""

    sources: Sources
    chunks: Mapping[str, Sequence[QuestionChunk]]  # task -> its questions, as asked together
    left_out: Mapping[str, str]  # task -> why the data allow none
    seed: int

    def flags(self) -> list[object]:
        """How `locvlm eval` is told of them."""
        return [
            *("--annotations", self.sources["annotations"], "--images", self.sources.images),
            *("--split", self.sources.split),
            *(("--seed", self.seed) if self.seed else ()),
        ]


def find_questions(data: TuningData, seed: int) -> Questions:
    """All that the held-out photos can be asked about.

    Args:
        data: of the tuning.
        seed: of what the tasks draw.

    Raises:
        InputError: no task can ask anything.
    """
    sources = Sources({"annotations": data.folder}, data.images, split=data.split)
    fitting = tasks_for(sources, seed=seed)
    left_out = {name: why for name, why in fitting.left_out.items() if name in TASKS}
    names = [name for name in TASKS if name in fitting.fits]
    if not names:
        raise InputError(f"{data.folder}: {_tell_why_none(data, left_out)}")
    chunks = {name: split_questions(name, sources, seed) for name in names}
    return Questions(sources, chunks, left_out, seed)


def _tell_why_none(data: TuningData, left_out: Mapping[str, str]) -> str:
    """Why nothing can be asked about the held-out photos."""
    images = read_objects(data.folder, data.split).images
    if not any(image.objects for image in images):
        return (
            f"none of the {len(images)} photos of split {data.split} has a box, so nothing can be "
            "asked about them; give another --split, boxes to its photos, or data without splits"
        )
    reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
    return f"nothing can be asked about split {data.split}; {reasons}"


def split_questions(task: str, sources: Sources, seed: int) -> list[QuestionChunk]:
    """All that a task can ask, as it is asked together."""
    kind = tasks.get(task)
    options = tasks.resolve_options(kind, {})
    questions = tasks.load(task, sources, seed=seed, options=options)
    by_image = questions_by_image(questions, len(questions), seed=seed).values()  # as limited
    chunks = batch_questions(group for of_image in by_image for group in group_by_view(of_image))
    return [QuestionChunk(sum(map(len, chunk)), len(chunk)) for chunk in chunks]
