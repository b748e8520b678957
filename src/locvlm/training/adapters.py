"""What a run changes of a model: low-rank updates and the adapter as a PEFT folder, or all of it.

An adapter's folder is in bfloat16. Before the language model is trained at all, only the
vision-language adapter is in it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import torch
from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from peft.utils.constants import CONFIG_NAME, DUMMY_TARGET_MODULES
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel

from locvlm.errors import InputError
from locvlm.models.adapter_keys import rename_old
from locvlm.models.parts import adapter_modules, language_linears, part_of, pattern_of
from locvlm.models.single_linear import is_identity
from locvlm.training.recipe import LoraSettings, Recipe

WEIGHTS = "adapter_model.safetensors"
# Kinds of updates that PEFT knows and LocVLM does not train
_OTHER_KINDS = ("rank_pattern", "alpha_pattern", "use_rslora", "use_dora", "lora_bias")


def add_adapter(model: PreTrainedModel, lora: LoraSettings) -> PeftModel:
    """`model` frozen, with a float32 adapter and float32 low-rank updates to be trained.

    Raises:
        InputError: the language model has none of the layers that `lora` names.
    """
    linears = language_linears(model, lora.targets)
    if not linears:
        names = sorted({name.rpartition(".")[2] for name in language_linears(model, ("all",))})
        raise InputError(
            f"lora.targets: the language model has no layers named {', '.join(lora.targets)}; "
            f"it has {', '.join(names)}"
        )
    _require_known_parts(model, linears)
    saved = _short_names(model, adapter_modules(model))
    config = _peft_config(lora, pattern_of(model, linears), saved)
    tuned = get_peft_model(model, config, autocast_adapter_dtype=False)
    _cast_trained_to_float32(tuned)
    return tuned


def choose_trained(model: nn.Module, parts: Collection[str]) -> None:
    """Only `parts` (adapter, lora, language, encoder) are trained; what is trained is float32.

    Of a PEFT model only what its folder holds: modules, not the lone `image_newline` of LLaVA-NeXT.

    Raises:
        InputError: the model has none of a part.
    """
    trained_parts, inner = set(), base_model(model)
    for name, parameter in model.named_parameters():
        trained = trained_part(name) in parts and not is_identity(inner, name)
        if isinstance(model, PeftModel):
            trained = trained and ("lora_" in name or ".modules_to_save." in name)
        if trained and not parameter.is_floating_point():
            continue  # of 4 bits
        parameter.requires_grad_(trained)
        if trained:
            trained_parts.add(trained_part(name))
    if absent := sorted(set(parts) - trained_parts):
        raise InputError(f"trains: no {absent[0]} is known in this model; train other parts")
    _cast_trained_to_float32(model)


def base_model(model: nn.Module) -> Any:
    """The vision-language model, without PEFT's wrapper."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def trained_part(name: str) -> str:
    """The part that a parameter belongs to; low-rank updates are one of their own."""
    return "lora" if "lora_" in name else part_of(name)


def save_adapter(
    model: PeftModel, folder: Path, *, lora: bool, state: dict[str, torch.Tensor] | None = None
) -> None:
    """Write a PEFT folder; without `lora`, of the adapter alone.

    Args:
        state: the weights, if the model's own are spread over processes; `belongs` tells which.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = model.peft_config["default"]
    if not lora:
        settings = LoraSettings(rank=config.r, alpha=config.lora_alpha)
        config = _peft_config(settings, DUMMY_TARGET_MODULES, config.modules_to_save)
    own = get_peft_model_state_dict(model, state_dict=state, save_embedding_layers=False)
    state = {
        name: tensor.detach().to("cpu", torch.bfloat16).contiguous()
        for name, tensor in own.items()
        if lora or "lora_" not in name
    }
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    saved = copy.copy(config)
    saved.inference_mode = True
    saved.base_model_name_or_path = None  # a path of this machine; locvlm.json names the base
    saved.save_pretrained(str(folder))


def is_adapter_weight(name: str) -> bool:
    """Whether a weight of a PEFT model is in its folder."""
    return "lora_" in name or ".modules_to_save." in name


def resolve_lora(recipe: Recipe, adapter: Path | None) -> LoraSettings:
    """Low-rank updates as the recipe has them; else as what it goes on with; else the usual ones.

    Args:
        recipe: of the run.
        adapter: folder that it starts from; None: it starts from a whole model.

    Raises:
        InputError: as `read_lora`.
    """
    if recipe.lora is not None:
        return recipe.lora
    saved = None if adapter is None else read_lora(adapter)
    return saved or LoraSettings()


def read_lora(folder: Path) -> LoraSettings | None:
    """How the low-rank updates of an adapter's folder are made; None where it holds none.

    Raises:
        InputError: its weights cannot be read, or are of a kind that LocVLM does not train.
    """
    try:
        with safe_open(folder / WEIGHTS, "pt") as file:
            targets = _updated_layers(file.keys())
    except (OSError, SafetensorError) as error:
        raise InputError(f"{folder / WEIGHTS}: cannot be read ({error}); save it again") from None
    if not targets:
        return None
    config = _read_config(folder)
    return LoraSettings(rank=config.r, alpha=config.lora_alpha, targets=tuple(sorted(targets)))


def load_adapter(model: PeftModel, folder: Path) -> bool:
    """Go on from a saved adapter; one without low-rank updates leaves them at nothing.

    Returns:
        Whether it holds low-rank updates.

    Raises:
        InputError: it is of another rank, alpha or model, or updates layers that are not tuned.
    """
    state: dict[str, Any] = {k: v.float() for k, v in load_file(folder / WEIGHTS).items()}
    state = rename_old(state, [name for name, _ in base_model(model).named_modules()])
    own = get_peft_model_state_dict(model, save_embedding_layers=False)
    lora = any("lora_" in name for name in state)
    if lora:
        theirs = _read_config(folder)
        _check_lora(
            folder,
            theirs,
            model.peft_config["default"],
            _updated_layers(state),
            _updated_layers(own),
        )
    _check_base(folder, _shapes(state), _shapes(own))
    # another trainer's may be low-rank updates alone
    rest = {name: weight for name, weight in own.items() if "lora_" not in name}
    set_peft_model_state_dict(model, rest | state)
    return lora


def _read_config(folder: Path) -> LoraConfig:
    """Raises InputError where the updates have more to them than one rank and one alpha."""
    config = LoraConfig.from_pretrained(str(folder))
    for kind in _OTHER_KINDS:
        if getattr(config, kind):
            raise InputError(
                f"{folder / CONFIG_NAME}: {kind} makes updates of a kind that LocVLM does not "
                "train; merge the adapter first (locvlm merge), and start from the whole model"
            )
    return config


def _check_lora(
    folder: Path, theirs: LoraConfig, ours: LoraConfig, updated: set[str], updatable: set[str]
) -> None:
    """Raises InputError where updates differ from the recipe's; layers may be added to them."""
    if theirs.r != ours.r:
        raise InputError(
            f"{folder}: its updates have rank {theirs.r}, the recipe's lora {ours.r}; set "
            f"lora.rank={theirs.r} and lora.alpha={theirs.lora_alpha:g}"
        )
    if theirs.lora_alpha != ours.lora_alpha:
        raise InputError(
            f"{folder}: its updates count {theirs.lora_alpha}/{theirs.r}-fold (alpha/rank), not "
            f"{ours.lora_alpha}/{ours.r}-fold as the recipe's lora says; set lora.alpha"
        )
    if absent := sorted(updated - updatable):
        raise InputError(
            f"{folder}: updates {', '.join(absent)}, which the recipe's lora.targets leave out; "
            f"set lora.targets=[{', '.join(sorted(updated))}]"
        )


def _check_base(folder: Path, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Raises InputError where weights are missing, too many, or of other shapes."""
    layers = {_layer_of(name) for name in theirs}
    expected = {name: shape for name, shape in ours.items() if _layer_of(name) in layers}
    differing = theirs.items() ^ expected.items()
    if not differing:
        return
    name = min(differing)[0]
    shape, here = (
        " x ".join(map(str, shapes[name])) if name in shapes else "nothing"
        for shapes in (theirs, expected)
    )
    raise InputError(
        f"{folder}: was made for another model: of {name} it holds {shape}, here belongs {here}; "
        f"let {folder / 'locvlm.json'} name its own model as base"
    )


def _updated_layers(names: Iterable[str]) -> set[str]:
    """The last names of the layers with low-rank updates, by the names of all weights."""
    return {_layer_of(name) for name in names if "lora_" in name}


def _layer_of(name: str) -> str:
    """The last name of the layer that a low-rank update changes; "" for other weights."""
    layer, _, update = name.partition(".lora_")
    return layer.rpartition(".")[2] if update else ""


def _shapes(state: dict[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _peft_config(lora: LoraSettings, targets: str, adapter: list[str]) -> LoraConfig:
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        target_modules=targets,
        modules_to_save=adapter,
        task_type="CAUSAL_LM",
    )


def _require_known_parts(model: nn.Module, linears: list[str]) -> None:
    """Raises InputError where all that is known of a model is that it has layers."""
    towers = {"language_model", "text_model"}
    if any(part_of(name) != "language" for name, _ in model.named_modules()):
        return
    if not any(towers & set(name.split(".")) for name in linears):
        raise InputError(
            f"trains: which layers of this model are its language model is not known ({linears[0]} "
            "is below no language_model or text_model, and no encoder is known beside it), so LoRA "
            "cannot be added; train other parts"
        )


def _short_names(model: nn.Module, names: list[str]) -> list[str]:
    """As PEFT's cards have them: the last names, with the number of a list's member.

    PEFT takes all modules whose full names end so: where those are others, too, a name is whole.
    """
    modules = [name for name, _ in model.named_modules()]
    short = {name: re.sub(r"^.*?([^.]+(\.\d+)?)$", r"\1", name) for name in names}
    return [
        end if {other for other in modules if other.endswith(end)} <= set(names) else name
        for name, end in short.items()
    ]


def _cast_trained_to_float32(model: nn.Module) -> None:
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
