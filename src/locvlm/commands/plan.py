"""`locvlm plan`: memory, time and cost of a recipe before it is run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from locvlm.commands.arguments import OptionalNumber, Recipe, RecipeSettings
from locvlm.commands.next_step import format_command, print_next
from locvlm.errors import InputError
from locvlm.progress import track
from locvlm.shown.terminal import say_json

if TYPE_CHECKING:
    from locvlm.training.plan.estimate import Estimate, Planner

GIB = 2**30


def plan(
    recipe: Recipe,
    /,
    *,
    machine: Annotated[str | None, arg(metavar="NAME")] = None,
    price: Annotated[float | None, arg(metavar="USD")] = None,
    utilization: Annotated[float | None, arg(metavar="SHARE")] = None,
    images: OptionalNumber = None,
    set: RecipeSettings = [],  # noqa: B006
    json: bool = False,
) -> None:
    """Memory in GiB, time and cost of every stage of a recipe, without weights.

    Args:
        machine: 1x4090, 8xA100, 8xH100, or cpu: this computer, measured; all GPUs if not given.
        price: US dollars per hour of the whole machine.
        utilization: share of the machine's best speed that training reaches, such as 0.35.
        images: of an epoch; if not given those of the data, or 100,000 where these are not here.
        json: print bytes, seconds and dollars as JSON.
    """
    from locvlm.training.recipe_file import read_recipe

    if images is not None and images < 1:
        raise InputError(f"--images must be at least 1, not {images}")
    settings = list(chain.from_iterable(set))
    loaded = read_recipe(recipe, settings)  # what it refuses is told before PyTorch is loaded

    from locvlm.training.plan import machines
    from locvlm.training.plan.estimate import Planner

    names = [machine] if machine else list(machines.GPUS)
    found_machines = [machines.get_machine(name, loaded.precision) for name in names]
    chosen = [_override_machine(one, price, utilization) for one in found_machines]
    planner = Planner(loaded, images)
    pairs = [(stage, one) for stage in planner.recipe.stages for one in chosen]
    found = [planner.estimate(*pair) for pair in track(pairs, "Planning")]
    if json:
        say_json(_as_json(planner, found))
    else:
        _show(planner, found)
        if any(one.runs for one in found):
            print_next(format_command("train", recipe, *(["--set", *settings] if settings else [])))


def _override_machine(machine: Any, price: float | None, utilization: float | None) -> Any:
    if utilization is not None and not 0 < utilization <= 1:
        raise InputError(f"--utilization {utilization}: not a share; give one such as 0.35")
    if price is not None and not price >= 0:
        raise InputError(f"--price {price}: not a price; give US dollars per hour")
    given = {"price": price, "utilization": utilization}
    return replace(machine, **{name: x for name, x in given.items() if x is not None})


def _as_json(planner: Planner, found: list[Estimate]) -> dict[str, Any]:
    rows = [
        {
            **asdict(one),
            "memory": {**asdict(one.memory), "total": one.memory.total},
            "fits": one.fits,
            "runs": one.runs,
        }
        for one in found
    ]
    drawn = {name: asdict(one) for name, one in planner.visits.items()}
    steps = {name: stage.total_steps for name, stage in planner.recipe.stages.items()}
    return {
        "model": planner.origin,
        "images": planner.epoch_images,
        "steps": steps,
        "drawn": drawn,
        "estimates": rows,
    }


def _show(planner: Planner, found: list[Estimate]) -> None:
    from rich.table import Table

    from locvlm.shown.screen import Screen

    screen = Screen()
    screen.print(f"Model: {planner.origin}", highlight=False, soft_wrap=True)
    for name in planner.recipe.stages:
        rows = [one for one in found if one.stage == name]
        table = Table(title=_title(planner, rows[0]), title_justify="left")
        for column in ("GiB per device", *(one.machine.name for one in rows)):
            table.add_column(column, justify="left" if column == "GiB per device" else "right")
        for kind in asdict(rows[0].memory):
            table.add_row(kind, *(_gib(getattr(one.memory, kind)) for one in rows))
        table.add_row("together", *(_gib(one.memory.total) for one in rows))
        table.add_row("available", *(_gib(one.machine.memory) for one in rows), end_section=True)
        table.add_row("verdict", *(_verdict(one) for one in rows))
        for words, figure in (("pictures per pass", _images), ("tokens per pass", _tokens)):
            table.add_row(words, *(figure(one) for one in rows))
        table.add_row(
            "seconds per step", *(_if_it_runs(one, f"{one.step_seconds:.2f}") for one in rows)
        )
        table.add_row("hours", *(_if_it_runs(one, f"{one.hours:.1f}") for one in rows))
        table.add_row("US dollars", *(_if_it_runs(one, f"{one.cost:.0f}") for one in rows))
        screen.print(table)
        for one in rows:
            for reason in _list_obstacles(one):
                line = f"{one.machine.name}: {reason}"
                screen.print(line, highlight=False, soft_wrap=True)
    shares = ", ".join(
        f"{m.name} {m.precision} {m.utilization:.0%}"
        for m in dict.fromkeys(one.machine for one in found)
    )
    auto = planner.recipe.batch == "auto"
    screen.print(
        f"Assumed: {shares} of the best speed; prices of November 2025, or yours (--price); "
        "no time for communication, reading or saving; pictures per pass as "
        f"{'batch: auto takes them there' if auto else 'the recipe says'}.",
        highlight=False,
        soft_wrap=True,
    )
    for line in (*_describe_epochs(planner), _origin_of_lengths(planner)):
        screen.print(line, highlight=False, soft_wrap=True)


def _describe_epochs(planner: Planner) -> Iterator[str]:
    """The steps of stages with epochs, and which images they are counted from."""
    from locvlm.training.epochs import describe_epochs

    for name, images in planner.epoch_images.items():
        line = describe_epochs(name, planner.recipe.stages[name], images)
        if planner.assumes_images:
            line = f"Assumed, for want of its data (--images says how many): {line}"
        yield f"{line}."


def _origin_of_lengths(planner: Planner) -> str:
    """What was looked at, or what was assumed instead."""
    if not planner.visits:
        return (
            "Assumed, for want of its data: pictures of 640 x 480, each with all the questions "
            "that a stage asks, of mean lengths."
        )
    stages = ", ".join(
        f"{name} {drawn.count} visits, as a rule {drawn.usual.questions} questions, at most "
        f"{drawn.largest.questions}"
        for name, drawn in planner.visits.items()
    )
    return f"Drawn from its data: {stages}; time of the usual visit, memory of the largest."


def _title(planner: Planner, one: Estimate) -> str:
    stage = planner.recipe.stages[one.stage]
    trained, total = one.trace.counts.trained / 1e6, one.trace.counts.total / 1e6
    return (
        f"{one.stage}: {stage.trains}, {trained:,.1f} of {total:,.1f} million parameters; "
        f"{stage.total_steps:,} steps of {stage.images} pictures"
    )


def _images(one: Estimate) -> str:
    return str(one.trace.reads.images)


def _tokens(one: Estimate) -> str:
    return f"{one.trace.reads.rows} x {one.trace.reads.length:,}"


def _verdict(one: Estimate) -> str:
    if not one.fits:
        return "does not fit"
    return "refused" if one.refusal else "fits"


def _list_obstacles(one: Estimate) -> Iterator[str]:
    """Why a stage cannot be trained there."""
    if one.refusal:
        yield one.refusal
    if not one.fits:
        yield f"would fit with {one.remedy or 'nothing that plan can change'}"


def _if_it_runs(one: Estimate, figure: str) -> str:
    return figure if one.runs else "–"


def _gib(size: float) -> str:
    return f"{size / GIB:,.2f}"
