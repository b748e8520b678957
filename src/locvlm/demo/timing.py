"""How fast this machine is, timed on the demo's own work.

Tuning is timed by a tuning of two visits, whose model is thrown away. The first questions of each
task are timed as they are asked, and stay: the demo goes on from them.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from locvlm.demo.plan import DemoState, QuestionChunk
from locvlm.evaluation import tasks
from locvlm.evaluation.ask_model import batch_questions
from locvlm.evaluation.limited import questions_by_image
from locvlm.evaluation.runner import evaluate
from locvlm.evaluation.suites.suite import Entry, find_sources
from locvlm.evaluation.task import group_by_view

SEED = 0  # of what is asked
VISITS = 2  # of pictures, in the tuning that is timed
EVALUATION = "evaluation"  # of the demo's folders, that of the suite
VISIT = "visit"  # name of a time in `DemoState`
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


def split_questions(entry: Entry, root: Path) -> list[QuestionChunk]:
    """All that an entry of a suite can ask, as it is asked together."""
    kind = tasks.get(entry.task)
    options = tasks.resolve_options(kind, entry.options)
    questions = tasks.load(entry.task, find_sources(entry, root), seed=SEED, options=options)
    images = questions_by_image(questions, len(questions), seed=SEED)  # as a limit takes them
    chunks = batch_questions([view for group in images.values() for view in group_by_view(group)])
    return [QuestionChunk(sum(map(len, chunk)), len(chunk)) for chunk in chunks]


def time_visit(recipe: Path, settings: Sequence[str], out: Path, state: DemoState) -> None:
    """Seconds of one visit of a picture, as the recipe with `settings` trains, into `state`.

    Args:
        recipe: of one stage.
        settings: overrides.
        out: the demo's folder.
        state: remembers the time.
    """
    from locvlm.training.recipe_file import read_recipe
    from locvlm.training.train import train

    if VISIT in state.times:
        return
    scratch = out / "timing"
    shutil.rmtree(scratch, ignore_errors=True)
    (stage,) = read_recipe(recipe, list(settings)).stages
    short = [f"stages.{stage}.steps={VISITS}", f"stages.{stage}.images=1"]
    train(recipe, [*settings, *short, f"out={json.dumps(str(scratch))}"])
    rows = map(json.loads, (scratch / stage / "log.jsonl").read_text().splitlines())
    runtime = next(row["train_runtime"] for row in rows if "train_runtime" in row)
    shutil.rmtree(scratch)
    state.times[VISIT] = runtime / VISITS
    state.write(out)


def time_questions(
    model: str, entries: Sequence[Entry], root: Path, out: Path, state: DemoState
) -> None:
    """Seconds of the first chunk of each entry into `state`, its answers where the suite's will be.

    Args:
        model: name of the model.
        entries: of the suite that is asked later.
        root: folder that the entries' files are below.
        out: the demo's folder.
        state: remembers the times.
    """
    from locvlm.inference.predictor import load_predictor

    todo = [entry for entry in entries if asking_key(model, entry) not in state.times]
    if not todo and overhead_key(model) in state.times:
        return
    began = now()
    predictor = TimedPredictor(load_predictor(model))
    answering = 0.0
    for entry in todo:
        folder = out / EVALUATION / model / entry.name
        shutil.rmtree(folder, ignore_errors=True)  # asked, but stopped before it was timed
        predictor.seconds = 0.0
        most = split_questions(entry, root)[0].pictures
        evaluate(
            predictor, entry.task, find_sources(entry, root), folder, limit=most, **entry.options
        )
        state.times[asking_key(model, entry)] = predictor.seconds
        answering += predictor.seconds
        state.write(out)
    state.times[overhead_key(model)] = now() - began - answering
    state.write(out)


def asking_key(model: str, entry: Entry) -> str:
    """Name of a time in `DemoState`."""
    return f"{model}: {entry.name}"


def overhead_key(model: str) -> str:
    """As `asking_key`, of what is not answering: loading the model, scoring, drawing."""
    return f"{model}: besides"
