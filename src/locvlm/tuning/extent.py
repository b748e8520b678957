"""How much of a tuning fits into its minutes, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.table import Table

from locvlm.io.own_files import read_own_json
from locvlm.shown.screen import Screen
from locvlm.training.engine.time_limit import FILE as ENDED
from locvlm.training.engine.time_limit import read_end
from locvlm.training.validation import outcome
from locvlm.tuning.budget import TaskPlan, TunePlan
from locvlm.tuning.options import TuneOptions


def print_plan(plan: TunePlan, options: TuneOptions, screen: Screen) -> None:
    """What will be done, and what is left out."""
    table = Table(title=f"What fits into {options.minutes:g} min on this machine")
    for name in ("", "to each model", "about"):
        table.add_column(name, justify="right" if name else "left")
    for row in plan.rows():
        table.add_row(*row)
    screen.print(table)
    if plan.lacking:
        screen.print(
            "This is the least that says anything; it takes about "
            f"{plan.minutes(options.minutes):g} min, not {options.minutes:g}."
        )
    screen.print(describe_omissions(plan, options.minutes))


def describe_omissions(plan: TunePlan, minutes: float) -> str:
    """One line: what the minutes did not allow, and how to get all."""
    asked = f"{plan.asked} of {plan.askable} questions go to each model, the same to both"
    if plan.is_whole:
        return f"{asked}; nothing is left out."
    return (
        f"{asked}; the training has {plan.steps} of {plan.all_steps} steps. All of it: "
        f"--minutes {minutes + plan.more:g}, into another folder"
    )


def describe_after(plan: TunePlan, after: Mapping[str, TaskPlan]) -> Iterator[str]:
    """What is to be known where tuned models had no time for all that the start was asked."""
    asked = sum(part.questions for part in after.values())
    if asked < plan.asked:
        yield (
            f"The tuned model answers more slowly than the start: there was time for {asked} of "
            f"the {plan.asked} questions, and the verdict is about these."
        )


def describe_training(plan: TunePlan, training: Path) -> Iterator[str]:
    """What is to be known of a training before its verdicts are believed.

    Args:
        plan: as it was trained.
        training: folder of the run.
    """
    ends = {file.parent.name: read_end(file.parent) for file in sorted(training.glob(f"*/{ENDED}"))}
    had = plan.steps - sum(end.steps - end.step for end in ends.values() if end)
    if had < plan.steps:
        yield f"The clock ended the training after {had:,} of the {plan.steps:,} steps planned."
    if had < plan.all_steps:
        yield (
            f"The training had {had:,} of the {plan.all_steps:,} steps that these photos "
            "are worth: the verdict is about so short a training, not about what tuning can do."
        )
    for file in sorted(training.glob(f"*/{outcome.FILE}")):
        found = read_own_json(file, outcome.Outcome, "the looks of a stage")
        if found.start_was_better:
            yield (
                f"While it trained, stage {file.parent.name}, the start did better on its few "
                f"held-out photos than what was trained (by {found.metric}): try fewer steps or a "
                "lower learning rate."
            )
