"""Two or more models on the same questions, side by side in one HTML file.

It reads what `runner.evaluate` wrote, so it needs no model. The first model is the one that the
others are held against.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from locvlm.errors import InputError
from locvlm.evaluation import run_files
from locvlm.evaluation.reports.comparison_page import (
    MODEL_CLASSES,
    Differences,
    Example,
    Panel,
    render_page,
)
from locvlm.evaluation.reports.differences import Difference, Samples
from locvlm.evaluation.reports.illustrations import (
    MODEL_COLOURS,
    Found,
    encode_jpeg,
    illustrate_answers,
    pick,
)
from locvlm.evaluation.reports.paired import find_differences, sum_up
from locvlm.evaluation.run_scores import read_scores
from locvlm.evaluation.samples import read_scored_samples
from locvlm.evaluation.task import Mark, ScoredAnswer
from locvlm.evaluation.tasks import get as task_named
from locvlm.io.atomic import ensure_dir, write_bytes
from locvlm.io.confined_paths import confine
from locvlm.shown.terminal import say

_PER_TASK = 4  # examples


def write_comparison(
    runs: Mapping[str, Mapping[str, Path]],
    images: Path,
    out: Path,
    credits: Mapping[str, str] | None = None,
    *,
    title: str = "What the location objectives changed",
    seed: int = 0,
    verdicts: Sequence[tuple[str, str]] = (),
) -> Path:
    """Write ``report.html`` into `out` from finished runs, and return its path.

    Args:
        runs: model -> task -> the folder that its run was written to; the same tasks for each.
        images: folder of the pictures or clips.
        out: folder of the report.
        credits: file name of a picture -> who took it and under which license.
        title: heading of the page.
        seed: of the choice of examples.
        verdicts: word ("better", …) and sentence of each, for the head of the page.

    Raises:
        InputError: a run is missing, or two runs were not asked the same questions (but for those
            about what one model does not see: what all of them were asked is compared).
    """
    tasks = _shared_tasks(runs)
    columns = {
        model: {task: read_scores(folder) for task, folder in of.items()}
        for model, of in runs.items()
    }
    examples: list[Example] = []
    differences: dict[str, dict[str, dict[str, Difference]]] = {model: {} for model in runs}
    for task in tasks:
        folders = {model: of[task] for model, of in runs.items()}
        rows = _shared_rows(task, folders, {model: of[task] for model, of in columns.items()})
        ids = [next(iter(row.values())).id for row in rows]
        samples = {model: _samples_of(folder, ids) for model, folder in folders.items()}
        for model, of in columns.items():
            of[task] = _of_shared(of[task], samples[model], seed)
        for model, apart in _differences(task, samples, columns, seed).items():
            differences[model][task] = apart
        examples += _examples(task, rows, images, credits or {}, seed)
    return write_comparison_page(title, columns, examples, out, differences, verdicts)


def write_comparison_page(
    title: str,
    columns: Mapping[str, Mapping[str, Mapping[str, Any]]],
    examples: Sequence[Example],
    out: Path,
    differences: Differences | None = None,
    verdicts: Sequence[tuple[str, str]] = (),
) -> Path:
    """Write ``report.html``, pictures inside, from model -> task -> what ``scores.json`` holds.

    `differences`: of each model from the first, as far as they are known.
    """
    ensure_dir(out)
    path = out / run_files.COMPARISON
    write_bytes(path, render_page(title, columns, examples, differences, verdicts).encode())
    return path


def _shared_tasks(runs: Mapping[str, Mapping[str, Path]]) -> list[str]:
    if not runs:
        raise InputError("a comparison needs at least one model; none was given")
    first, *others = runs.items()
    for model, of in others:
        if set(of) != set(first[1]):
            raise InputError(
                f"{model} was run on {', '.join(of)}, {first[0]} on {', '.join(first[1])}; "
                "compare runs of the same tasks"
            )
    return list(first[1])


def _samples_of(folder: Path, ids: Sequence[str]) -> Samples:
    """The rows of these questions, in this order, of each sample of a run."""
    by_id = [{row.id: row for row in sample} for sample in read_scored_samples(folder)]
    return [[rows[id] for id in ids] for rows in by_id]


def _of_shared(result: dict[str, Any], samples: Samples, seed: int) -> dict[str, Any]:
    """What ``scores.json`` holds, with the scores of these rows alone, where there are others."""
    if result["questions"] == len(samples[0]):
        return result
    scores = sum_up(task_named(result["task"]), samples, seed)
    return {**result, "questions": len(samples[0]), "scores": scores}


def _differences(
    task: str,
    samples: Mapping[str, Samples],
    columns: Mapping[str, Mapping[str, Mapping[str, Any]]],
    seed: int,
) -> dict[str, dict[str, Difference]]:
    """Of each model from the first, as `compare_runs` has them."""
    first, *others = samples
    return {
        model: find_differences(
            task_named(task),
            [samples[first], samples[model]],
            [columns[first][task]["scores"], columns[model][task]["scores"]],
            seed,
        )
        for model in others
    }


def _shared_rows(
    task: str, folders: Mapping[str, Path], results: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, ScoredAnswer]]:
    """Per question, each model's row. Figures over different questions are not comparable.

    Left out is what one of the models does not see, as its result says.
    """
    unseen = {id for result in results.values() for id in result.get("unseen", ())}
    by_model = {
        model: {row.id: row for row in run_files.read_scored(folder) if row.id not in unseen}
        for model, folder in folders.items()
    }
    first, *others = by_model
    for model in others:
        if _expected_answers(by_model[model]) != _expected_answers(by_model[first]):
            raise InputError(
                f"{folders[model]}: {model} was not asked the same {task} questions as {first}; "
                "run both with the same annotations, seed, options and limit"
            )
    return [{model: rows[id] for model, rows in by_model.items()} for id in by_model[first]]


def _expected_answers(rows: Mapping[str, ScoredAnswer]) -> dict[str, str]:
    return {id: row.expected for id, row in rows.items()}


def _examples(
    task: str,
    rows: Sequence[Mapping[str, ScoredAnswer]],
    images: Path,
    credits: Mapping[str, str],
    seed: int,
) -> list[Example]:
    """From each pattern of hits in turn (only one right, all right, …), the commonest first."""
    patterns = [tuple(row.hit for row in of.values()) for of in rows]
    count = Counter(patterns)
    grouped = sorted(zip(patterns, rows, strict=True), key=lambda pair: (-count[pair[0]], pair[0]))
    picked = pick(grouped, _PER_TASK, seed=seed)
    return [_example(task, of, images, credits) for _, of in picked]


def _example(
    task: str, of: Mapping[str, ScoredAnswer], images: Path, credits: Mapping[str, str]
) -> Example:
    any_row = next(iter(of.values()))
    clip = task_named(task).card.clips
    colours = [*MODEL_COLOURS, *[MODEL_COLOURS[-1]] * len(of)]
    classes = [*MODEL_CLASSES, *[""] * len(of)]
    return Example(
        task=task,
        question=any_row.prompt + (" (mirrored image)" if any_row.mirrored else ""),
        expected=any_row.expected,
        panels=tuple(
            Panel(model, row.answer, row.hit, format_place(row.found), css)
            for (model, row), css in zip(of.items(), classes, strict=False)
        ),
        jpeg=draw_answers(
            images,
            any_row.image,
            any_row.marks,
            [
                (row.found, model, colour)
                for (model, row), colour in zip(of.items(), colours, strict=False)
                if row.found is not None
            ],
            clip=clip,
            mirrored=any_row.mirrored,
        ),
        credit=credits.get(any_row.image, ""),
    )


def draw_answers(
    images: Path,
    name: str,
    marks: Sequence[Mark],
    answers: Sequence[Found],
    *,
    clip: bool,
    mirrored: bool,
) -> bytes | None:
    """A JPEG with the truth and all answers in one frame, of a file in the folder `images`.

    None, and a line that says so, where the picture can no longer be shown: its answers count all
    the same.
    """
    try:
        shown = illustrate_answers(
            confine(images, name), marks, answers, clip=clip, mirrored=mirrored
        )
        return encode_jpeg(shown)
    except InputError as error:
        say(f"not drawn: {error}", file=sys.stderr)
        return None


def format_place(found: Sequence[float] | None) -> str:
    """``12, 30, 45, 60``, original pixels; "": none was found."""
    return "" if found is None else ", ".join(f"{value:.0f}" for value in found)
