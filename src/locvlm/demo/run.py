"""The main job from end to end, on the photos of `sample`: build, tune, evaluate, compare.

The short tuning shows that training works and how its loss falls; it is far too short for a good
model. What is compared are the two shipped ones, which saw the same pictures for as long: one was
asked for captions and lists of categories alone, the other mostly about locations.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from locvlm.demo import sections
from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.reports.report import figure, interval
from locvlm.instructions.inspect import Inspection

SAMPLE = Path(__file__).parent / "sample"
IMAGES = SAMPLE / "images"
RECIPE = Path(__file__).parent / "recipe.yaml"
CONTROL, TUNED = "tiny-control", "tiny"
SUITE = Path(__file__).parent / "suite.yaml"
PICTURES = 40  # at most, per task
OBJECTIVES = ("locpred", "negpred", "revloc", "spatial", "caption")
SCREEN = Console(highlight=False)


def demo(out: Path) -> Path:
    """Run everything into the folder `out`; a run that was stopped goes on. Returns the report.

    Raises:
        InputError: weights cannot be fetched, or `out` holds files of something else.
    """
    started = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    SCREEN.rule("1 of 4: boxes become instructions")
    data = out / "instructions"
    _build(data)
    seen = _inspect(data, out / "inspect")
    SCREEN.rule("2 of 4: a short tuning from stage 1")
    loss = _tune(data, out / "training")
    SCREEN.rule("3 of 4: two shipped models, without and with location objectives")
    results = {model: _evaluate(model, out / "evaluation") for model in (CONTROL, TUNED)}
    SCREEN.rule("4 of 4: side by side")
    report = _report(out, list(results[TUNED]), loss, seen)
    SCREEN.print(_table(results))
    # soft: a path broken into two lines cannot be copied
    minutes = (time.monotonic() - started) / 60
    SCREEN.print(f"{minutes:.1f} minutes. Look at {report}", soft_wrap=True)
    return report


def _build(folder: Path) -> None:
    from locvlm.instructions.build_files import build_from_files

    manifest = build_from_files(
        SAMPLE / "train.json",
        IMAGES,
        folder,
        captions=SAMPLE / "captions.json",
        objectives=OBJECTIVES,
    )
    for name, count in manifest.counts.items():
        SCREEN.print(f"{name:>8}: {count} questions")


def _inspect(data: Path, folder: Path) -> Inspection:
    from locvlm.instructions.inspect import inspect

    seen = inspect(data, TUNED, folder, count=4)
    SCREEN.print(f"As the model sees them: {seen.index}", soft_wrap=True)
    return seen


def _tune(data: Path, folder: Path) -> Path:
    """Tune for a couple of minutes; the picture of the loss curves."""
    from locvlm.training.train import train

    settings = {"data": [str(data.resolve())], "out": str(folder)}
    train(RECIPE, [f"{key}={json.dumps(value)}" for key, value in settings.items()])
    return folder / "loss.png"


def _evaluate(model: str, out: Path) -> dict[str, dict[str, Any]]:
    """Task -> what its ``scores.json`` holds."""
    import locvlm
    from locvlm.evaluation.suites.run import run_suite
    from locvlm.evaluation.suites.suite import read_suite

    outcome = run_suite(locvlm.load(model), read_suite(str(SUITE)), SAMPLE, out, limit=PICTURES)
    for task, reason in outcome.absent.items():
        raise InputError(f"{task}: {reason}")
    return outcome.scores


def _report(out: Path, names: list[str], loss: Path, seen: Inspection) -> Path:
    from locvlm.evaluation.reports.comparison import comparison

    report = comparison(
        {
            model: {task: out / "evaluation" / model / task for task in names}
            for model in (CONTROL, TUNED)
        },
        IMAGES,
        out,
        photo_credits(),
    )
    sections.append(report, sections.tuning(loss), sections.inspected(seen), sections.credited())
    return report


def photo_credits() -> dict[str, str]:
    """File name of each sample photo -> its license and where its author is named."""
    rows = json.loads((SAMPLE / "credits.json").read_text(encoding="utf-8"))
    return {row["file"]: f"{row['license']}, author at {row['page']}" for row in rows}


def _table(results: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    """The scores that matter most, with their 95 % intervals."""
    table = Table(title="With 95 % intervals")
    table.add_column("task")
    table.add_column("score")
    for model in results:
        table.add_column(model, justify="right")
    for task in next(iter(results.values())):
        for name in tasks.get(task).HEADLINES:
            scores = [of[task]["scores"][name] for of in results.values()]
            table.add_row(task, name, *(f"{figure(s)}  ({interval(s)})" for s in scores))
        table.add_section()
    return table
