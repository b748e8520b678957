"""Trains and measures every variant with every seed, then writes one table.

OUT/nfp/seed-0/…            a training run
OUT/scores/nfp-seed-0/…     its evaluation
OUT/scores/none/…           that of a variant in which nothing is trained
OUT/table.md, table.json    the means, with intervals over the seeds

Run it again after a kill: what is done is not repeated.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from locvlm.ablation.checks import check_suite, check_variants, find_measurable
from locvlm.ablation.table import AblationTable, find_published, format_markdown, tabulate
from locvlm.ablation.untuned import load_untuned
from locvlm.ablation.variants import describe_none, make_variants
from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.suites.suite import Entry
from locvlm.io.atomic import write_bytes
from locvlm.io.outputs import Reads, claim_output_folder
from locvlm.models.folders import user_folders
from locvlm.shown.terminal import say
from locvlm.training.earlier import start_from_earlier
from locvlm.training.recipe import Recipe


def ablate(
    recipe: Recipe,
    over: str,
    entries: Sequence[Entry],
    data: Path,
    out: Path,
    *,
    seeds: int = 3,
    limit: int | None = None,
) -> AblationTable:
    """Compare the variants of a recipe.

    Args:
        recipe: of a whole run; its `out` is not used.
        over: what is varied (see `variants`).
        entries: the suite to measure with.
        data: folder that the suite's files are below.
        out: folder of the runs and the table.
        seeds: how many, from the recipe's own on.
        limit: pictures per entry of the suite; None: all.

    Raises:
        InputError: the recipe, its data or the suite cannot be used.
    """
    if seeds < 1:
        raise InputError(f"--seeds must be at least 1, not {seeds}")
    recipe = start_from_earlier(recipe)
    variants = make_variants(recipe, over)
    entries, unmeasured = find_measurable(entries, recipe)
    notes = [f"not measured: {name} {reason}" for name, reason in unmeasured.items()]
    for note in notes:
        say(note, file=sys.stderr)
    check_suite(entries, data)
    check_variants(
        {name: _seeded_recipe(one, out, name, one.seed) for name, one in variants.items()}
    )
    claim_output_folder(
        out,
        "ablate",
        Reads([data, *map(Path, recipe.data), *user_folders(recipe.model)]),
        work={"over": over},
        is_older=_holds_ablation,
    )
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in variants}
    for seed in range(recipe.seed, recipe.seed + seeds):  # all variants of a seed come together
        for name, variant in variants.items():
            if runs[name] and not variant.stages:
                continue  # nothing is trained, so a seed changes nothing
            seeded = _seeded_recipe(variant, out, name, seed)
            runs[name].append(_scores(seeded, entries, data, out, _plain(name), limit))
            gc.collect()  # trainers hold their models in circles, which pile up otherwise
    headlines = {entry.name: tasks.get(entry.task).headlines for entry in entries}
    table = tabulate(runs, headlines)
    measured = "one seed" if seeds == 1 else f"mean of {seeds} seeds and its 95 % interval"
    title = f"Ablation over {over}: {measured}, in percent"
    if over == "objectives":
        notes.insert(0, describe_none(recipe))
    text = format_markdown(title, table, find_published(entries, runs))
    text += "".join(f"\n{note}\n" for note in notes)
    write_bytes(out / "table.md", text.encode())
    _write_values(table, out)
    return table


def _seeded_recipe(variant: Recipe, out: Path, name: str, seed: int) -> Recipe:
    """A variant as it is run with a seed."""
    return msgspec.structs.replace(
        variant,
        seed=seed,
        out=str(out / _plain(name) / f"seed-{seed}"),
        features=variant.features or str(out / "features"),
    )


def _scores(
    recipe: Recipe, entries: Sequence[Entry], data: Path, out: Path, name: str, limit: int | None
) -> dict[str, Any]:
    """Entry -> what its ``scores.json`` holds."""
    from locvlm.evaluation.suites.run import run_suite
    from locvlm.inference.predictor import load_predictor
    from locvlm.training.train import train_recipe

    if recipe.stages:
        predictor = load_predictor(train_recipe(recipe))
        predictor.name = f"{name}-seed-{recipe.seed}"
    else:
        predictor = load_untuned(recipe)
        predictor.name = name
    found = run_suite(predictor, entries, data, out / "scores", limit=limit)
    for entry, reason in found.absent.items():
        raise InputError(f"{entry}: {reason}")
    return found.scores


def _write_values(table: AblationTable, out: Path) -> None:
    values = {
        variant: {score: list(cell.values) for score, cell in row.items()}
        for variant, row in table.items()
    }
    write_bytes(out / "table.json", (json.dumps(values, indent=2) + "\n").encode())


def _holds_ablation(out: Path) -> bool:
    """Of older versions, which left no mark: there are but scores, features and runs."""
    names = {"table.md", "table.json", "scores", "features"}
    return all(path.name in names or any(path.glob("seed-*")) for path in out.iterdir())


def _plain(name: str) -> str:
    """As a folder: ``+ locpred`` is ``locpred``."""
    return name.removeprefix("+ ")
