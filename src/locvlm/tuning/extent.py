"""How much of a tuning fits into its minutes, in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from locvlm.training.validation import outcome
from locvlm.tuning.budget import TunePlan
from locvlm.tuning.options import TuneOptions
from locvlm.tuning.step_timer import format_seconds


def print_plan(plan: TunePlan, options: TuneOptions, screen: Console) -> None:
    """What will be done, and what is left out."""
    table = Table(title=f"What fits into {options.minutes:g} min on this machine")
    for name in ("", "to each model", "about"):
        table.add_column(name, justify="right" if name else "left")
    for row in plan.rows():
        table.add_row(*row)
    screen.print(table)
    if plan.lacking:
        longer = format_seconds(plan.lacking)
        screen.print(f"This is the least that says anything; it takes {longer} longer.")
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


def describe_training(plan: TunePlan, training: Path) -> Iterator[str]:
    """What is to be known of a training before its verdicts are believed.

    Args:
        plan: as it was trained.
        training: folder of the run.
    """
    if plan.steps < plan.all_steps:
        yield (
            f"The training had {plan.steps:,} of the {plan.all_steps:,} steps that these photos "
            "are worth: the verdict is about so short a training, not about what tuning can do."
        )
    for file in sorted(training.glob(f"*/{outcome.FILE}")):
        found = msgspec.json.decode(file.read_bytes(), type=outcome.Outcome)
        if found.start_was_better:
            yield (
                f"While it trained, stage {file.parent.name}, the start did better on its few "
                f"held-out photos than what was trained (by {found.metric}): try fewer steps or a "
                "lower learning rate."
            )
