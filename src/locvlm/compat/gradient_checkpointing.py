"""Layers that are computed again in the backward pass instead of being kept: it saves memory.

transformers 5 first called it gradient checkpointing and then, with a warning at each use of the
old name, activation checkpointing: the methods of `PreTrainedModel` and the settings of a trainer.
Needless once the oldest transformers that is allowed has the new name.
"""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedModel

_NEW = hasattr(PreTrainedModel, "activation_checkpointing_enable")
SETTING = "activation_checkpointing" if _NEW else "gradient_checkpointing"  # of a trainer
_HOW = {"use_reentrant": False}


def checkpointing_settings(wanted: bool) -> dict[str, Any]:
    """The settings of a trainer."""
    return {SETTING: True, f"{SETTING}_kwargs": _HOW} if wanted else {}


def enable_checkpointing(model: PreTrainedModel) -> None:
    """Let a model do it."""
    getattr(model, f"{SETTING}_enable")(_HOW)
