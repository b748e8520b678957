"""The main job from end to end, on the photos of `sample`: build, tune, evaluate, compare.

It takes the minutes that it is given: how fast the machine is decides how much is tuned and asked.

The short tuning shows that training works and how its loss falls; it is far too short for a good
model. What is compared are the two shipped ones. They were not trained alike: `tiny-control` saw no
location objectives, and was also trained for far fewer visits, with other settings. So what the
report shows is how these two models differ, not what the location objectives alone have changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from locvlm.demo import sections, timing
from locvlm.demo.plan import DemoPlan, DemoState, make_plan, open_state
from locvlm.demo.step_timer import StepTimer, format_seconds
from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.reports.report import format_interval, format_value
from locvlm.evaluation.suites.suite import read_suite
from locvlm.inspection.inspect import Inspection
from locvlm.io.atomic import ensure_dir
from locvlm.progress import show_status

SAMPLE = Path(__file__).parent / "sample"
IMAGES = SAMPLE / "images"
RECIPE = Path(__file__).parent / "recipe.yaml"
CONTROL, TUNED = "tiny-control", "tiny"
MODELS = (CONTROL, TUNED)
SUITE = Path(__file__).parent / "suite.yaml"
OBJECTIVES = ("locpred", "negpred", "revloc", "spatial", "caption")
MINUTES = 10.0  # unless told otherwise
MOST = 24 * 60.0  # minutes
ENDING = 10.0  # seconds that the tables and the report take
SCREEN = Console(highlight=False)


def demo(out: Path, minutes: float | None = None) -> Path:
    """Run everything into the folder `out`; a run that was stopped goes on. Returns the report.

    Args:
        out: the folder, empty or of a demo that was stopped.
        minutes: that it may take, downloads aside; None: 10, or as the stopped demo was told.

    Raises:
        InputError: weights cannot be fetched, `minutes` is no such number, or `out` holds files of
            something else, or a demo of other minutes.
    """
    if minutes is not None and not 0 < minutes <= MOST:
        raise InputError(f"--minutes {minutes:g}: give more than 0 and at most {MOST:g}")
    state = open_state(ensure_dir(out), minutes, MINUTES)
    state.write(out)  # the folder is the demo's from now on
    SCREEN.print(f"A demo of about {state.minutes:g} min, into {out}", soft_wrap=True)
    _fetch()
    timer = StepTimer(SCREEN)
    data = out / "instructions"
    with timer.part("1 of 5: boxes become instructions"):
        _build(data)
        seen = _inspect(data, out / "inspect")
    with timer.part("2 of 5: how fast is this machine?"):
        plan = state.plan or _plan(state, data, out, timer)
        _say(plan, state.minutes)
    besides = _besides(state)
    expected = plan.tuning + besides / len(MODELS)
    with timer.part("3 of 5: a short tuning from stage 1", expected):
        loss = _tune(data, out, plan.steps)
    expected = plan.asking + besides
    with timer.part("4 of 5: two shipped models answer the same questions", expected):
        results = {model: _evaluate(model, out / timing.EVALUATION, plan) for model in MODELS}
    with timer.part("5 of 5: side by side"):
        report = _report(out, state, plan, loss, seen)
        SCREEN.print(_table(results))
        SCREEN.print(sections.UNLIKE)
    # soft: a path broken into two lines cannot be copied
    SCREEN.print(f"{timer.seconds / 60:.1f} minutes. Look at {report}", soft_wrap=True)
    return report


def _fetch() -> None:
    """The weights, which may have to be downloaded."""
    with show_status("Importing PyTorch and transformers"):
        from locvlm.models import tiny
    SCREEN.print("Weights: from the cache folder; else they are fetched, and put together once")
    tiny.base_folder()


def _build(folder: Path) -> None:
    from locvlm.instructions.build import QuestionOptions
    from locvlm.instructions.build_files import BuildOptions, build_from_files

    manifest = build_from_files(
        SAMPLE / "train.json",
        IMAGES,
        folder,
        BuildOptions(
            captions=SAMPLE / "captions.json", questions=QuestionOptions(objectives=OBJECTIVES)
        ),
    )
    for name, count in manifest.counts.items():
        SCREEN.print(f"{name:>8}: {count} questions")


def _inspect(data: Path, folder: Path) -> Inspection:
    from locvlm.inspection.inspect import inspect

    seen = inspect(data, TUNED, folder, count=4)
    SCREEN.print(f"As the model sees them: {seen.index}", soft_wrap=True)
    return seen


def _plan(state: DemoState, data: Path, out: Path, timer: StepTimer) -> DemoPlan:
    """What fits, once it is known how fast the machine is; `state` for a demo that goes on."""
    from locvlm.training.recipe_file import read_recipe

    entries = read_suite(str(SUITE))
    settings = _settings(data, out)
    SCREEN.print(f"Tuning on {timing.VISITS} photos, and the first questions of each task …")
    timing.time_visit(RECIPE, settings, out, state)
    for model in MODELS:
        timing.time_questions(model, entries, SAMPLE, out, state)
    times = state.times
    first = {e.name: sum(times[timing.asking_key(m, e)] for m in MODELS) for e in entries}
    # both models are loaded again, and one for the tuning
    left = state.minutes * 60 - timer.seconds - _besides(state) * (1 + 1 / len(MODELS)) - ENDING
    (stage,) = read_recipe(RECIPE, settings).stages.values()
    chunks = {entry.name: timing.split_questions(entry, SAMPLE) for entry in entries}
    step = times[timing.VISIT] * stage.images
    state.plan = make_plan(left, step, stage.total_steps, chunks, first)
    state.write(out)
    return state.plan


def _besides(state: DemoState) -> float:
    """Seconds that both models take to be loaded, and their answers to be scored."""
    return sum(state.times[timing.overhead_key(model)] for model in MODELS)


def _say(plan: DemoPlan, minutes: float) -> None:
    """What will be done, and what is left out."""
    table = Table(title=f"What fits into {minutes:g} min on this machine")
    for name in ("", "to each model", "about"):
        table.add_column(name, justify="right" if name else "left")
    for row in plan.rows():
        table.add_row(*row)
    SCREEN.print(table)
    if plan.lacking:
        SCREEN.print(
            f"This is the least that says anything; it takes {format_seconds(plan.lacking)} longer."
        )
    SCREEN.print(sections.describe_omissions(plan, minutes))


def _settings(data: Path, out: Path) -> list[str]:
    """Of the recipe: its data, and where the encoder's outputs are state."""
    values = {"data": [str(data.resolve())], "features": str((out / "features").resolve())}
    return [f"{key}={json.dumps(value)}" for key, value in values.items()]


def _tune(data: Path, out: Path, steps: int) -> Path:
    """Tune; the picture of the loss curves."""
    from locvlm.training.recipe_file import read_recipe
    from locvlm.training.train import train

    settings = _settings(data, out)
    (stage,) = read_recipe(RECIPE, settings).stages
    folder = out / "training"
    train(RECIPE, [*settings, f"out={json.dumps(str(folder))}", f"stages.{stage}.steps={steps}"])
    return folder / "loss.png"


def _evaluate(model: str, out: Path, plan: DemoPlan) -> dict[str, dict[str, Any]]:
    """Task -> what its ``scores.json`` holds."""
    from locvlm.evaluation.suites.run import run_suite
    from locvlm.inference.predictor import load_predictor

    limits = {task: part.pictures for task, part in plan.tasks.items()}
    outcome = run_suite(load_predictor(model), read_suite(str(SUITE)), SAMPLE, out, limit=limits)
    for task, reason in outcome.absent.items():
        raise InputError(f"{task}: {reason}")
    return outcome.scores


def _report(out: Path, state: DemoState, plan: DemoPlan, loss: Path, seen: Inspection) -> Path:
    from locvlm.evaluation.reports.comparison import write_comparison

    report = write_comparison(
        {
            model: {task: out / timing.EVALUATION / model / task for task in plan.tasks}
            for model in MODELS
        },
        IMAGES,
        out,
        photo_credits(),
        title="Two shipped models, side by side",
    )
    sections.add_sections(
        report,
        first=(sections.models(), sections.extent(plan, state.minutes)),
        last=(sections.tuning(loss, plan), sections.inspected(seen), sections.credited()),
    )
    return report


def photo_credits() -> dict[str, str]:
    """File name of each sample photo -> its license and where its author is named."""
    rows = json.loads((SAMPLE / "credits.json").read_text(encoding="utf-8"))
    return {row["file"]: f"{row['license']}, author at {row['page']}" for row in rows}


def _table(results: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    """The scores that matter most, with their 95 % intervals."""
    table = Table(title="With 95 % intervals")
    table.add_column("score", no_wrap=True)
    for model in results:
        table.add_column(model, justify="right")
    for task in next(iter(results.values())):
        table.add_row(f"[bold]{task}")
        for name in tasks.get(task).headlines:
            scores = [of[task]["scores"][name] for of in results.values()]
            table.add_row(name, *(f"{format_value(s)}\n{format_interval(s)}" for s in scores))
        table.add_section()
    return table
