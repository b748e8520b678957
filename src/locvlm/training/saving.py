"""The model that a stage leaves: an adapter beside its base, or all of it, with its settings."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from peft import PeftModel

from locvlm.models.folders import ModelSettings
from locvlm.models.image_tokens import form_of
from locvlm.models.learned_images import FILE
from locvlm.models.video_llava.processor import frames_of
from locvlm.training.adapters import load_adapter, save_adapter
from locvlm.training.full_model import load_weights, save_full_model
from locvlm.training.start import Start


def save_model(
    folder: Path, model: Any, start: Start, *, lora: bool, state: dict[str, Any] | None = None
) -> None:
    """Write a model as it is trained.

    Args:
        folder: to write.
        model: maybe wrapped by PEFT; then what it adds to its base alone is written.
        start: what the run began with.
        lora: its low-rank updates are more than nothing.
        state: weights that were spread over the processes; of the others, the model's own.
    """
    base = start.base if isinstance(model, PeftModel) else None
    if base is not None:
        save_adapter(model, folder, lora=lora, state=state)
    else:
        weights = {**model.state_dict(), **(state or {})}
        save_full_model(model, start.processor, folder, start.saved, weights)
    form = form_of(start.processor)
    ModelSettings(
        format=start.coordinates.name,
        options=start.coordinates.options,
        base=base,
        frames=None if base is None else frames_of(start.processor),
        image_tokens=None if form == "rows" else form,
        # a whole model's processor says these itself
        **({} if base is None else start.pixels.given),
        whole_images=base is not None and start.whole_images,
    ).write(folder)
    if start.learned is not None and start.learned.is_file():
        shutil.copyfile(start.learned, folder / FILE)


def load_model(folder: Path, model: Any, start: Start) -> None:
    """Take over into `model` what `save_model` has written."""
    if isinstance(model, PeftModel):
        load_adapter(model, folder)
    else:
        load_weights(model, folder, start.saved)
