"""Models by name or folder: an adapter merged into its base, or a whole Hugging Face model."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    LlavaConfig,
    LlavaProcessor,
    PreTrainedModel,
    ProcessorMixin,
)

from locvlm import coordinates
from locvlm.compat.image_processors import load_stills
from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError
from locvlm.models import lora
from locvlm.models.door import check_settings, refuse_unloadable
from locvlm.models.folders import ADAPTER, ModelSettings, frames_read, resolve
from locvlm.models.foreign_adapters import use_own_template
from locvlm.models.image_token_check import check_image_token
from locvlm.models.image_tokens import Form, apply_form, form_of
from locvlm.models.other_kinds import refuse_other_kind
from locvlm.models.quantization import refuse_unknown_quantization
from locvlm.models.video_llava.model import PooledVideoLlavaConfig, video_config
from locvlm.models.video_llava.processor import PooledVideoLlavaProcessor
from locvlm.models.whole_images import show_whole
from locvlm.runtime.precision import fast_dtype, refuse_not_finite
from locvlm.shown.terminal import say

_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


@dataclass(frozen=True)
class Loaded:
    """A model ready to answer, with what is needed to ask it."""

    model: PreTrainedModel
    processor: ProcessorMixin
    coordinates: CoordinateFormat
    name: str


def load_model(
    name: str | Path, *, speech: CoordinateFormat | None = None, frames: int | None = None
) -> Loaded:
    """A model by its shipped name, or from a folder; on the GPU where there is one.

    A folder holds either a PEFT adapter, of LocVLM or of another trainer, or a whole
    image-text-to-text model as `save_pretrained` leaves it. No code from a folder is ever executed.

    Args:
        name: of the model, or its folder.
        speech: the coordinate format it speaks; None: as `locvlm.json` or else its family says.
        frames: of a clip, that a LLaVA is to read; None: as it reads already.

    Raises:
        InputError: there is no such model, or its files do not fit together.
    """
    return _place_on_device(_load(name, fast_dtype(), speech, frames))


def load_exact(name: str | Path, *, speech: CoordinateFormat | None = None) -> Loaded:
    """As `load_model`, on the CPU and unrounded: a merged adapter in float32, a whole as saved."""
    return _load(name, "auto", speech)


def _load(
    name: str | Path,
    dtype: torch.dtype | str,
    speech: CoordinateFormat | None = None,
    frames: int | None = None,
) -> Loaded:
    folder, base = resolve(name)
    with refuse_unloadable(name, "this model cannot be loaded"):
        return _load_folder(name, folder, base, dtype, speech, frames)


def _load_folder(
    name: str | Path,
    folder: Path,
    base: Path,
    dtype: torch.dtype | str,
    speech: CoordinateFormat | None,
    frames: int | None,
) -> Loaded:
    clips = (frames or frames_read(folder, base)) is not None
    if folder == base:
        model = load_whole(folder, dtype, clips=clips)
    else:
        # Merged in float32: rounding the base and the small change apart would lose most of it
        model = load_whole(base, torch.float32, clips=clips)
        model = _merge_adapter(model, folder, base)
    processor = _processor(folder, base, frames)
    if folder != base and not (folder / "locvlm.json").is_file():
        use_own_template(processor, folder)
    check_image_token(model, processor, base)
    return Loaded(model, processor, speech or _format_of(folder, base, processor), str(name))


def load_processor(
    name: str | Path,
    frames: int | None = None,
    image_tokens: Form | None = None,
    speech: CoordinateFormat | None = None,
) -> tuple[ProcessorMixin, CoordinateFormat]:
    """What a model sees and how it says where, without its weights. Raises InputError likewise.

    Args:
        name: as of `load_model`.
        frames: of a clip, that a LLaVA is to read; None: as it reads already.
        image_tokens: how a LLaVA is to read those of a picture; None: as it does already.
        speech: as of `load_model`.
    """
    folder, base = resolve(name)
    processor = read_processor(name, frames, image_tokens)
    with refuse_unloadable(name, "how it writes places cannot be told"):
        return processor, speech or _format_of(folder, base, processor)


def read_processor(
    name: str | Path, frames: int | None = None, image_tokens: Form | None = None
) -> ProcessorMixin:
    """What a model sees alone; as of `load_processor`."""
    folder, base = resolve(name)
    with refuse_unloadable(name, "its processor cannot be used"):
        return apply_form(_processor(folder, base, frames), image_tokens)


def _merge_adapter(model: PreTrainedModel, folder: Path, base: Path) -> PreTrainedModel:
    config, weights = (folder / file for file in ADAPTER)
    with refuse_unloadable(folder, f"no adapter of {base}"):
        if lora.merge(model, config, weights):
            return model
        return _merge_by_peft(model, folder, base)


def _merge_by_peft(model: PreTrainedModel, folder: Path, base: Path) -> PreTrainedModel:
    """Of any kind that PEFT knows; and PEFT finds what is wrong with one that does not fit."""
    # takes a while, and is seldom needed
    from peft import PeftConfig, PeftModel, get_peft_model, get_peft_model_state_dict
    from peft import set_peft_model_state_dict as load_into

    config, file = (folder / name for name in ADAPTER)
    state = load_file(file)
    renamed, settings = lora.read_renamed(model, json.loads(config.read_bytes()), state)
    if renamed.keys() == state.keys():
        tuned = PeftModel.from_pretrained(model, str(folder))
    else:
        known = PeftConfig.from_pretrained(str(folder))
        for name in ("target_modules", "modules_to_save", "exclude_modules", "layers_to_transform"):
            setattr(known, name, settings.get(name))
        tuned = get_peft_model(model, known)
        load_into(tuned, renamed)
    # PEFT only warns of weights that are missing, and says nothing of those it has no place for
    updates = {name for name in renamed if not name.endswith(".base_layer.weight")}
    stray = updates ^ set(get_peft_model_state_dict(tuned, save_embedding_layers=False))
    if stray:
        raise InputError(
            f"{file}: {len(stray)} weights are missing or have no place in {base}, "
            f"such as {min(stray)}; the adapter was made for another base"
        )
    merged: PreTrainedModel = tuned.merge_and_unload()
    return merged


def load_whole(
    folder: Path, dtype: torch.dtype | str, *, clips: bool = False, **options: Any
) -> PreTrainedModel:
    """The model of a folder, on the CPU unless `options` of `from_pretrained` say otherwise.

    Args:
        folder: of a whole model.
        dtype: of its weights.
        clips: a LLaVA is to read clips as well as pictures.

    Raises:
        InputError: transformers cannot load it, weights are missing, or it cannot read clips.
    """
    refuse_other_kind(folder)
    refuse_unknown_quantization(folder)
    check_settings(folder)
    with refuse_unloadable(folder, "transformers cannot load this model"):
        if clips:
            options["config"] = _clip_config(folder)
        model, loading = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            output_loading_info=True,
            **_LOCAL,
            **options,
        )
    if missing := loading["missing_keys"]:  # transformers would go on with random numbers
        unknown = min(loading["unexpected_keys"], default="")
        named = f"; there is {unknown}, which this model has no place for" if unknown else ""
        raise InputError(
            f"{folder}: {len(missing)} weights are missing, such as {min(missing)}{named}"
        )
    return model


def _clip_config(folder: Path) -> PooledVideoLlavaConfig:
    config = AutoConfig.from_pretrained(folder, **_LOCAL)
    if isinstance(config, PooledVideoLlavaConfig):
        return config
    if not isinstance(config, LlavaConfig):
        raise _not_for_clips(folder, config.model_type)
    return video_config(config)


def _processor(folder: Path, base: Path, frames: int | None = None) -> ProcessorMixin:
    """That of the base, reading as the model in `folder` has learned to."""
    refuse_other_kind(base)
    check_settings(base)
    frames = frames or frames_read(folder, base)
    with refuse_unloadable(base, "transformers cannot load its processor"):
        # Pillow's resize, whatever else is installed: torchvision's gives other pixels
        processor = load_stills(base, backend="pil", **_LOCAL)
        if frames is not None:
            processor = _clip_processor(processor, base, frames)
    if not hasattr(processor, "image_processor") or not hasattr(processor, "tokenizer"):
        raise InputError(
            f"{base}: no image processor and tokenizer, but {type(processor).__name__} alone; put "
            "the model's own processor_config.json or preprocessor_config.json there"
        )
    for one in dict.fromkeys((base, folder)):
        if (one / "locvlm.json").is_file():
            settings = ModelSettings.read(one)
            processor = settings.pixels.apply(apply_form(processor, settings.image_tokens))
            processor = show_whole(processor) if settings.whole_images else processor
    return processor


def _clip_processor(
    processor: ProcessorMixin, folder: Path, frames: int
) -> PooledVideoLlavaProcessor:
    if (form := form_of(processor)) != "rows":
        raise InputError(f"{folder}: reads pictures alone (image_tokens: {form}), and no clips")
    if isinstance(processor, LlavaProcessor):
        return PooledVideoLlavaProcessor.of(processor, frames)
    raise _not_for_clips(folder, type(processor).__name__)


def _not_for_clips(folder: Path, what: str) -> InputError:
    return InputError(
        f"{folder}: a {what}; of models that read pictures only a LLaVA can learn to read clips"
    )


def _format_of(folder: Path, base: Path, processor: ProcessorMixin) -> CoordinateFormat:
    """As `locvlm.json` says; else what suits the model."""
    if (folder / "locvlm.json").is_file():
        return ModelSettings.read(folder).coordinates()
    if folder == base:
        return coordinates.default_for(processor, folder)
    speech = _format_of(base, base, processor)
    say(
        f"{folder}: has no locvlm.json, so its base is {base} ({ADAPTER[0]}) and its places are "
        f"read as {speech.name}, what its base speaks; another format: --format, or format= in a "
        "recipe",
        file=sys.stderr,
    )
    return speech


def _place_on_device(loaded: Loaded) -> Loaded:
    # of the processes that torchrun starts on a machine, each has a GPU
    gpu = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    device = gpu if torch.cuda.is_available() else "cpu"
    model = loaded.model.to(device=device, dtype=fast_dtype()).eval()
    model.register_forward_hook(refuse_not_finite)
    return replace(loaded, model=model)
