"""Names of an adapter's weights, as other versions of transformers wrote them.

Since transformers 4.52 a vision-language model keeps its parts below ``model.``; adapters made
before have these names (of the 7B models of LLaVA and Qwen2-VL):

    language_model.model.layers.0…   model.language_model.layers.0…
    model.layers.0…                  model.language_model.layers.0…
    visual.blocks.0…                 model.visual.blocks.0…
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TypeVar

Weight = TypeVar("Weight")

PREFIX = "base_model.model."  # PEFT's, before the base's own names
_UPDATE = re.compile(r"\.(lora_|modules_to_save\b|base_layer\b)")
_OLD = (
    (r"^language_model\.(lm_head\b)", r"\1"),
    (r"^(model\.)?language_model\.model\.", "model.language_model."),
    (r"^model\.(?=(layers|embed_tokens|norm)\b)", "model.language_model."),
    (r"^model\.(?=(layers|embed_tokens|norm)\b)", "model.text_model."),
    (r"^", "model."),
    (r"^model\.", ""),
)


def rename_old(weights: Mapping[str, Weight], modules: Collection[str]) -> dict[str, Weight]:
    """The weights of a PEFT folder, by the names that the layers have now.

    What is not known under any name keeps its own: whoever loads it must refuse it.

    Args:
        weights: as in `adapter_model.safetensors`, with PEFT's prefix.
        modules: names of the base's modules.
    """
    renamed = {
        PREFIX + rename_module(name.removeprefix(PREFIX), modules): weight
        for name, weight in weights.items()
    }
    return renamed if len(renamed) == len(weights) else dict(weights)


def rename_module(name: str, modules: Collection[str]) -> str:
    """The name of a module, or of a weight in one, as it is now; itself where none is known."""
    update = _UPDATE.search(name)
    layer = name[: update.start()] if update else name.rpartition(".")[0]
    for candidate in (layer, *(re.sub(old, new, layer, count=1) for old, new in _OLD)):
        if candidate in modules:
            return candidate + name[len(layer) :]
    return name
