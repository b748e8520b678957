"""What other trainers leave beside a PEFT adapter, and what it means for who loads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from locvlm.errors import InputError, first_line

# Weights that were trained whole beside the low-rank updates: of LLaVA's and Qwen-VL's trainers
_WEIGHTS_BESIDE = ("non_lora_state_dict.bin", "non_lora_trainables.bin")


def refuse_weights_beside(folder: Path) -> None:
    """Raises InputError where weights lie beside the adapter that PEFT does not know of."""
    for name in _WEIGHTS_BESIDE:
        if (folder / name).is_file():
            raise InputError(
                f"{folder / name}: weights that were trained beside the adapter, which PEFT's "
                "files leave out; merge the adapter with the tool that trained it, and give the "
                "merged folder"
            )


def use_own_template(processor: Any, folder: Path) -> None:
    """Let the processor ask as the adapter was trained, where its folder has a chat template.

    Raises InputError where that file cannot be read.
    """
    jinja, settings = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    template = None
    try:
        if jinja.is_file():
            template = jinja.read_text(encoding="utf-8")
        elif settings.is_file():
            template = json.loads(settings.read_bytes()).get("chat_template")
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"{folder}: its chat template cannot be read ({first_line(error)})"
        ) from None
    if isinstance(template, str):
        processor.chat_template = template
