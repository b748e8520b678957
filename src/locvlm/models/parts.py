"""The three parts of any vision-language model of transformers, told from its modules' names.

    encoder ─► adapter ─► language model

Families name them differently, and Qwen-VL's adapter lies inside its encoder (`visual.merger`).
"""

from __future__ import annotations

from typing import Literal

from torch import nn

from locvlm.families import FAMILIES

Part = Literal["encoder", "adapter", "language"]
PARTS: tuple[Part, ...] = ("encoder", "adapter", "language")

ADAPTERS = tuple(dict.fromkeys(name for family in FAMILIES for name in family.adapter))
ENCODERS = tuple(dict.fromkeys(family.encoder for family in FAMILIES))


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
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and part_of(name) == "language"
        and not name.endswith("lm_head")
        and (names == ("all",) or name.rpartition(".")[2] in names)
    ]
