"""What a model of a tuning is asked, as `locvlm eval` asks it."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from locvlm.evaluation.run_files import PREDICTIONS, RUN, EvaluationRun, read_json
from locvlm.evaluation.runner import evaluate
from locvlm.evaluation.scoring import score
from locvlm.io.atomic import ensure_dir, write_bytes
from locvlm.io.json_rows import write_json
from locvlm.io.own_files import decode_own
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


def share_answers(before: Path, after: Path, shared: Path, questions: Questions) -> Path:
    """Where the answers of the start are to the questions that a tuned model was asked, too.

    Args:
        before: folder of the answers of the start, by task.
        after: of those of the tuned model, which may be fewer.
        shared: gets them, scored anew, where there are fewer.
        questions: of the tuning.
    """
    if all(_ids(before / task) == _ids(after / task) for task in questions.chunks):
        return before
    for task in questions.chunks:
        run = read_json(after / task / RUN, EvaluationRun)
        own = replace(read_json(before / task / RUN, EvaluationRun), limit=run.limit)
        folder, ids = ensure_dir(shared / task), _ids(after / task)
        lines = (before / task / PREDICTIONS).read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if _id_of(line) in ids]
        write_json(folder / RUN, own)
        write_bytes(folder / PREDICTIONS, b"".join(kept))
        score(task, folder / PREDICTIONS, questions.sources, folder, seed=questions.seed)
    return shared


def _ids(run: Path) -> set[str]:
    lines = (run / PREDICTIONS).read_bytes().splitlines()
    return {_id_of(line) for line in lines}


class _Row(msgspec.Struct):
    id: str


def _id_of(line: bytes) -> str:
    return decode_own(line, _Row, PREDICTIONS, "a row of predictions").id
