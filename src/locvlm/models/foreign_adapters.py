"""What other trainers leave beside a PEFT adapter, and what it means for who loads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from locvlm.errors import InputError, first_line
from locvlm.io.reading import quote

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


def refuse_unmergeable(folder: Path) -> None:
    """Raises InputError where an adapter is of a kind that is no update of weights.

    Of what PEFT knows, prompts and prefixes that are learned cannot be merged into a model.
    """
    path = folder / "adapter_config.json"
    try:
        kind = json.loads(path.read_bytes()).get("peft_type")
    except (OSError, ValueError, AttributeError):
        return  # what is wrong with it is told where its base is looked for
    if kind == "LORA":
        return
    # takes a while, and is seldom needed
    from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING

    tuners = {str(name.value): tuner for name, tuner in PEFT_TYPE_TO_TUNER_MAPPING.items()}
    if hasattr(tuners.get(str(kind)), "merge_and_unload"):
        return
    what = "is of no kind that PEFT knows" if str(kind) not in tuners else "cannot be merged"
    raise InputError(
        f"{path}: an adapter of peft_type {quote(kind)} {what}; LocVLM takes those that are "
        "merged into the weights, such as LORA: train one of these"
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
