"""Models that transformers lists as image-text-to-text, and that cannot be asked about an image."""

from __future__ import annotations

import json
from pathlib import Path

from locvlm.errors import InputError

# By `model_type` of config.json, what such a model does instead
OTHER_KINDS = {
    "blip": "writes captions, and has no tokens of an image beside those of a question",
    "chameleon": "is given a mark behind each question by its processor, where LocVLM has no place",
    "diffusion_gemma": "writes an answer by diffusion, not one token after another",
    "evolla": "reads proteins, not images",
    "fuyu": "is given a mark behind each question by its processor, where LocVLM has no place",
    "git": "writes captions, and has no tokens of an image beside those of a question",
}


def refuse_other_kind(folder: Path) -> None:
    """Raises InputError where the model in a folder is none that LocVLM can ask or train."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
        kind = config.get("model_type")
    except (OSError, ValueError, AttributeError):
        return  # transformers says what is wrong with it
    if isinstance(kind, str) and kind in OTHER_KINDS:
        raise InputError(
            f"{folder}: a model of type {kind} {OTHER_KINDS[kind]}; take a model that "
            "answers questions about images, such as Qwen3-VL"
        )
