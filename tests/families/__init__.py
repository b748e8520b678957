"""Model families, tiny and with random weights: the real classes of transformers, no download.

Each file builds one family: its model, and its processor with a chat template in the published
form where the family has one.
"""

from functools import cache
from importlib import import_module, util

import torch
from transformers import PreTrainedModel, ProcessorMixin

_NAMES = (
    "florence_2",
    "gemma3",
    "gemma4",
    "idefics3",
    "internvl",
    "llava",
    "llava_next",
    "paligemma",
    "qwen2_5_vl",
    "qwen2_vl",
    "qwen3_vl",
    "smolvlm",
    "t5gemma2",
)


def names() -> list[str]:
    """Every family whose processor can be made here: SmolVLM's needs num2words."""
    spoken = util.find_spec("num2words") is not None
    return [name for name in _NAMES if name != "smolvlm" or spoken]


@cache
def build(name: str) -> tuple[PreTrainedModel, ProcessorMixin]:
    """The model of the family, in float32, and its processor. Shared: do not change them."""
    torch.manual_seed(0)
    return import_module(f"tests.families.{name}").build()
