"""Trackers that show a run's losses elsewhere, beside the JSONL log and the plot."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from locvlm.errors import InputError

TRACKERS = ("trackio", "wandb", "tensorboard")


def check_trackers(names: Iterable[str]) -> None:
    """Each must be known and installed, before hours are spent.

    Raises:
        InputError: one is not.
    """
    for name in names:
        if name not in TRACKERS:
            raise InputError(f"report_to: {name!r} is none of {', '.join(TRACKERS)}")
        if find_spec(name) is None:
            raise InputError(
                f"report_to: {name} is not installed; pip install {name}, or take it out"
            )
