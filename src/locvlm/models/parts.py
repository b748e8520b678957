"""The three parts of any vision-language model of transformers, told from its modules' names.

    encoder ─► adapter ─► language model

Families name them differently, and Qwen-VL's adapter lies inside its encoder (`visual.merger`).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal

from torch import nn
from transformers import PreTrainedModel

from locvlm.families import FAMILIES

Part = Literal["encoder", "adapter", "language"]
PARTS: tuple[Part, ...] = ("encoder", "adapter", "language")

# What families name them, and then what other models do
ADAPTERS = tuple(
    dict.fromkeys(
        [
            *(name for family in FAMILIES for name in family.adapter),
            *("projector", "mm_projector", "aligner", "merger_list", "embed_vision"),
            *("qformer", "query_tokens", "resampler_model", "perceiver_resampler"),
            *("language_projection", "vision_projection", "visual_projection", "vision_adapter"),
            "image_to_text_projection",
        ]
    )
)
ENCODERS = tuple(
    dict.fromkeys(
        [
            *(family.encoder for family in FAMILIES),
            *("vision_encoder", "image_encoder", "image_tower", "video_tower", "audio_tower"),
            *("high_res_vision_model", "vqmodel", "embed_audio"),
            # Janus draws images with these; no answer comes from them
            *("generation_embeddings", "generation_aligner", "generation_head"),
        ]
    )
)


def part_of(name: str) -> Part:
    """The part that a parameter or module belongs to, by its full name."""
    inside = set(name.split("."))
    if inside & set(ADAPTERS):
        return "adapter"
    return "encoder" if inside & set(ENCODERS) else "language"


def adapter_modules(model: nn.Module) -> list[str]:
    """The outermost modules of the adapter, by full name; the members of a list one by one."""
    found: list[str] = []
    for name, module in model.named_modules():
        inside = any(name.startswith(outer + ".") for outer in found)
        if part_of(name) == "adapter" and not inside and not isinstance(module, nn.ModuleList):
            found.append(name)
    return found


def language_linears(model: nn.Module, names: tuple[str, ...]) -> list[str]:
    """Linear layers of the language model whose last name is one of `names`; all for `("all",)`.

    The output layer is never among them.
    """
    output = model.get_output_embeddings() if isinstance(model, PreTrainedModel) else None
    return [
        name
        for name, module in model.named_modules()
        if _is_plain_linear(module)
        and module is not output
        and part_of(name) == "language"
        and not name.endswith("lm_head")
        and (names == ("all",) or name.rpartition(".")[2] in names)
    ]


def _is_plain_linear(module: nn.Module) -> bool:
    """Whether a layer gives what a linear layer does; Llama 4 has a router that gives more."""
    own = type(module).forward is not nn.Linear.forward
    routes = own and type(module).__module__.startswith("transformers.models.")
    return isinstance(module, nn.Linear) and not routes


def pattern_of(model: nn.Module, layers: Collection[str]) -> str:
    """A regular expression that of all modules matches these layers alone, by their full names.

    As short as can be: their last names below `language_model` or `text_model`, where that tells.
    """
    modules = [name for name, _ in model.named_modules()]
    ends = "|".join(sorted({name.rpartition(".")[2] for name in layers}))
    numbered = sorted({re.sub(r"(?<=\\\.)\d+(?=\\)", r"\\d+", re.escape(n)) for n in layers})
    for pattern in (
        rf".*language_model\..*\.({ends})",
        rf".*text_model\..*\.({ends})",
        "|".join(numbered),
    ):
        if {name for name in modules if re.fullmatch(pattern, name)} == set(layers):
            return pattern
    return "|".join(sorted(map(re.escape, layers)))
