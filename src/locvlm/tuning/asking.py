"""What a model of a tuning is asked, as `locvlm eval` asks it."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from pathlib import Path

from locvlm.evaluation.runner import evaluate
from locvlm.tuning.budget import TaskPlan
from locvlm.tuning.command_lines import format_line, print_line
from locvlm.tuning.questions import Questions
from locvlm.tuning.timing import TimedPredictor


def ask(
    model: str, folder: Path, questions: Questions, tasks: Mapping[str, TaskPlan]
) -> dict[str, float]:
    """Ask, each task into a folder below `folder`; task -> seconds, where it was asked something.

    Args:
        model: name or folder.
        folder: of the answers; those that are there are not asked for again.
        questions: of the tuning.
        tasks: how much of each.
    """
    from locvlm.inference.predictor import load_predictor

    predictor, seconds = None, {}
    for task, part in tasks.items():
        limit = part.images  # also where that is all: then they are asked in the timed order
        shown = Path(model) if Path(model).is_dir() else model
        words: list[object] = ["--model", shown, "--task", task, *questions.flags()]
        words += ["--limit", limit, "--out", folder / task]
        print_line(format_line("eval", *words))
        predictor = predictor or TimedPredictor(load_predictor(model))
        predictor.seconds = 0.0
        evaluate(
            predictor, task, questions.sources, folder / task, limit=limit, seed=questions.seed
        )
        if predictor.seconds:
            seconds[task] = predictor.seconds
    del predictor
    gc.collect()  # before another model is loaded
    return seconds
