"""How fast this machine is, timed on the tuning's own work, in the precision that it will use.

Training is timed by a training of a few visits, whose model is thrown away. The first questions of
each task are timed as they are asked, and stay: the evaluation goes on from them.
"""

from __future__ import annotations

import gc
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from locvlm.evaluation.runner import evaluate
from locvlm.training.engine.json_lines import read_log
from locvlm.training.recipe import Recipe, Stage
from locvlm.tuning import folders
from locvlm.tuning.questions import Questions
from locvlm.tuning.state import TuneState

VISITS = 2  # of images, in the training that is timed
GPU_STEPS = 3  # of the recipe's own size, where there is a GPU: images go through it together
LOADING = "training: besides"  # names of times in `TuneState`
BESIDES = "questions: besides"
SCRATCH = "timing"  # of the tuning's folders, that of the training that is timed
now = time.monotonic


class TimedPredictor:
    """A predictor, and the seconds that its answers took."""

    def __init__(self, predictor: Any):
        self.predictor = predictor
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.predictor, name)

    def answer_all(self, asked: Any) -> list[list[str]]:
        """As the predictor's."""
        began = now()
        answers: list[list[str]] = self.predictor.answer_all(asked)
        self.seconds += now() - began
        return answers


def stage_key(stage: str) -> str:
    """Name of a time in `TuneState`: of a visit of one image."""
    return f"visit: {stage}"


def task_key(task: str) -> str:
    """As `stage_key`, of the first questions of a task."""
    return f"questions: {task}"


def rest_key(task: str) -> str:
    """As `stage_key`, of the other questions of a task, to the start."""
    return f"other questions: {task}"


def step_seconds(recipe: Recipe, steps: Mapping[str, int], state: TuneState) -> float:
    """Of a step, as a mean over all of the recipe's stages, with looks at held-out photos."""
    whole = sum(
        steps[name] * stage.images * state.times[stage_key(name)]
        for name, stage in recipe.stages.items()
    )
    looks = 1 + (recipe.looks.share if recipe.looks else 0)
    return looks * whole / sum(steps.values())


def time_training(recipe_file: Path, settings: Sequence[str], out: Path, state: TuneState) -> None:
    """Seconds of a visit of an image in each stage of a recipe, into `state`.

    Args:
        recipe_file: the recipe.
        settings: overrides.
        out: the tuning's folder.
        state: remembers the times.
    """
    from locvlm.training.recipe_file import read_recipe
    from locvlm.training.train import train

    stages = read_recipe(recipe_file, list(settings)).stages
    if all(stage_key(name) in state.times for name in stages):
        return
    scratch = out / SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    sizes = {name: _timed_size(stage) for name, stage in stages.items()}
    short = [
        f"stages.{name}.{key}={value}"
        for name, (steps, images) in sizes.items()
        for key, value in (("steps", steps), ("images", images))
    ]
    short.append("validation=false")
    began = now()
    train(recipe_file, [*settings, *short, f"out={json.dumps(str(scratch))}"])
    took = now() - began
    for name, (steps, images) in sizes.items():
        runtime = _read_runtime(scratch / name / "log.jsonl")
        state.times[stage_key(name)] = runtime / (steps * images)
        took -= runtime
    shutil.rmtree(scratch)
    gc.collect()  # a trainer holds its model in circles
    state.times[LOADING] = max(0.0, took)
    state.write(out)


def _timed_size(stage: Stage) -> tuple[int, int]:
    """Steps and images per step of the training that is timed."""
    return (GPU_STEPS, stage.images) if torch.cuda.is_available() else (VISITS, 1)


def _read_runtime(log: Path) -> float:
    rows = read_log(log)
    return float(next(row["train_runtime"] for row in rows if "train_runtime" in row))


def time_questions(questions: Questions, model: str, out: Path, state: TuneState) -> None:
    """Seconds of the first chunk of each task into `state`; its answers stay in `out`.

    Args:
        questions: that are asked later.
        model: name or folder.
        out: the tuning's folder.
        state: remembers the times.
    """
    todo = [task for task in questions.chunks if task_key(task) not in state.times]
    if not todo and BESIDES in state.times:
        return
    began, answering = now(), 0.0
    for task, seconds in time_first(questions, model, out / folders.BEFORE, todo):
        state.times[task_key(task)] = seconds
        answering += seconds
        state.write(out)
    state.times[BESIDES] = now() - began - answering
    state.write(out)


def time_first(
    questions: Questions, model: str, folder: Path, todo: Sequence[str] | None = None
) -> Iterator[tuple[str, float]]:
    """Each task with the seconds of its first chunk, whose answers stay in a folder below `folder`.

    Args:
        questions: that are asked later.
        model: name or folder.
        folder: of the answers; what is there of these tasks was asked, but not timed, and goes.
        todo: the tasks; None: all.
    """
    from locvlm.inference.predictor import load_predictor

    predictor = TimedPredictor(load_predictor(model))
    for task in questions.chunks if todo is None else todo:
        shutil.rmtree(folder / task, ignore_errors=True)
        predictor.seconds = 0.0
        first = questions.chunks[task][0].images
        evaluate(
            predictor, task, questions.sources, folder / task, limit=first, seed=questions.seed
        )
        yield task, predictor.seconds
    del predictor
    gc.collect()  # before another model is loaded
