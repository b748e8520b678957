"""Models by name or folder: an adapter merged into its base, or a whole Hugging Face model.

What LocVLM trains is small: LoRA and the projector, as a PEFT folder. A file `locvlm.json` beside
it says what the weights alone do not: the coordinate format the model speaks, and its base.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
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
from locvlm.errors import InputError, first_line
from locvlm.models import lora, tiny
from locvlm.models.image_tokens import Form, apply_form, form_of
from locvlm.models.video_llava.model import PooledVideoLlavaConfig, video_config
from locvlm.models.video_llava.processor import PooledVideoLlavaProcessor
from locvlm.runtime.precision import fast_dtype, refuse_overflow

WEIGHTS = Path(__file__).parents[1] / "weights"  # the shipped adapters, a folder each
UNTRAINED = "tiny-base"  # LocVLM-Tiny before any training
ADAPTER = ("adapter_config.json", "adapter_model.safetensors")
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_FILES = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
_UNLOADABLE = (OSError, ValueError, KeyError, RuntimeError, SafetensorError)


@dataclass(frozen=True)
class Loaded:
    """A model ready to answer, with what is needed to ask it."""

    model: PreTrainedModel
    processor: ProcessorMixin
    coordinates: CoordinateFormat
    name: str


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`locvlm.json`, which lies beside the weights."""

    format: str = "ivb"  # name of the coordinate format
    options: dict[str, Any] = {}  # the format's, such as {"bins": 224}
    base: str | None = None  # of an adapter: "tiny", or a folder, absolute or relative to this one
    frames: Annotated[int, msgspec.Meta(ge=1)] | None = None  # of a clip, that an adapter reads
    image_tokens: Form | None = None  # how those of a picture are written, if not in `rows`

    @classmethod
    def read(cls, folder: Path) -> ModelSettings:
        """From ``folder/locvlm.json``. Raises InputError where it is missing or malformed."""
        path = folder / "locvlm.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError as error:
            raise InputError(
                f"{path}: missing; it must name the coordinate format and the adapter's base"
            ) from error
        except msgspec.DecodeError as error:
            raise InputError(f"{path}: {error}; correct it") from error

    def write(self, folder: Path) -> None:
        """To ``folder/locvlm.json``."""
        said = {name: value for name, value in msgspec.structs.asdict(self).items() if value}
        text = msgspec.json.format(msgspec.json.encode(said), indent=2)
        (folder / "locvlm.json").write_bytes(text + b"\n")

    def coordinates(self) -> CoordinateFormat:
        """The format. Raises InputError where it or an option is unknown."""
        return coordinates.get(self.format, **self.options)


def names() -> list[str]:
    """The models that come with LocVLM."""
    shipped = sorted(path.parent.name for path in WEIGHTS.glob(f"*/{ADAPTER[0]}"))
    return [*shipped, UNTRAINED]


def load_model(name: str | Path) -> Loaded:
    """A model by its shipped name, or from a folder; on the GPU where there is one.

    A folder holds either a PEFT adapter and `locvlm.json`, or a whole image-text-to-text model as
    `save_pretrained` leaves it. No code from a folder is ever executed.

    Raises:
        InputError: there is no such model, or its files do not fit together.
    """
    folder, base = resolve(name)
    if folder == base:
        return _place_on_device(_load_whole(folder, fast_dtype(), str(name)))
    return _place_on_device(_load_adapter(folder, base, str(name)))


def load_exact(name: str | Path) -> Loaded:
    """As `load_model`, on the CPU and unrounded: a merged adapter in float32, a whole as saved."""
    folder, base = resolve(name)
    if folder == base:
        return _load_whole(folder, "auto", str(name))
    return _load_adapter(folder, base, str(name))


def load_processor(
    name: str | Path, frames: int | None = None, image_tokens: Form | None = None
) -> tuple[ProcessorMixin, CoordinateFormat]:
    """What a model sees and how it says where, without its weights. Raises InputError likewise.

    Args:
        name: as of `load_model`.
        frames: of a clip, that a LLaVA is to read; None: as it reads already.
        image_tokens: how a LLaVA is to read those of a picture; None: as it does already.
    """
    folder, base = resolve(name)
    processor = apply_form(_processor(folder, base, frames), image_tokens)
    return processor, _format_of(folder, processor)


def frames_read(folder: Path, base: Path) -> int | None:
    """Of a clip, by an adapter of a LLaVA; None: what it reads is said by the base itself."""
    return None if folder == base else ModelSettings.read(folder).frames


def resolve(name: str | Path) -> tuple[Path, Path]:
    """The folder of a model's own files, and that of its base: the same for a whole model."""
    if name == UNTRAINED:
        return tiny.base_folder(), tiny.base_folder()
    name = fetch_from_hub(name)
    if (Path(name) / "config.json").is_file() and name not in names():
        return Path(name), Path(name)
    folder = adapter_folder(name)
    return folder, _base_folder(ModelSettings.read(folder).base, folder)


def hub_id(name: str | None, folder: Path) -> str | None:
    """`name` where it is that of a model on the hub, and not a folder relative to `folder`."""
    return name if name and _HUB_ID.fullmatch(name) and not (folder / name).is_dir() else None


def resolve_base_name(folder: Path) -> str:
    """The base of an adapter, as one in another folder would name it."""
    base = ModelSettings.read(folder).base or ""
    # a folder may be named as seen from the adapter's
    is_folder = base not in ("", "tiny") and not hub_id(base, folder)
    return str((folder / base).resolve()) if is_folder else base


def fetch_from_hub(name: str | Path) -> str | Path:
    """The folder of a model on the hub, from its cache; other names as they are."""
    if not isinstance(name, str) or not _HUB_ID.fullmatch(name) or Path(name).is_dir():
        return name
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return snapshot_download(name, allow_patterns=_FILES)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise InputError(
            f"no model {name!r}: there is no such folder, and the hub does not give it "
            f"({first_line(error)})"
        ) from error


def adapter_folder(name: str | Path) -> Path:
    """The folder of a shipped adapter, or `name` itself. Raises InputError if it holds none."""
    folder = WEIGHTS / name if name in names() else Path(name)
    if not (folder / ADAPTER[0]).is_file():
        raise InputError(
            f"no model {str(name)!r}: it is neither one of {', '.join(names())}, nor a folder "
            f"with {ADAPTER[0]} or config.json"
        )
    if not (folder / ADAPTER[1]).is_file():
        raise InputError(f"{folder / ADAPTER[1]}: missing; the adapter's weights must lie there")
    return folder


def _load_adapter(folder: Path, base: Path, name: str) -> Loaded:
    # Merged in float32: rounding the base and the small change apart would lose most of the change
    model = load_whole(base, torch.float32, clips=frames_read(folder, base) is not None)
    processor = _processor(folder, base)
    return Loaded(
        _merge_adapter(model, folder, base), processor, _format_of(folder, processor), name
    )


def _merge_adapter(model: PreTrainedModel, folder: Path, base: Path) -> PreTrainedModel:
    config, weights = (folder / file for file in ADAPTER)
    try:
        if lora.merge(model, config, weights):
            return model
        return _merge_by_peft(model, folder, base)
    except _UNLOADABLE as error:
        raise InputError(f"{folder}: no adapter of {base}: {first_line(error)}") from error


def _merge_by_peft(model: PreTrainedModel, folder: Path, base: Path) -> PreTrainedModel:
    """Of any kind that PEFT knows; and PEFT finds what is wrong with one that does not fit."""
    from peft import PeftModel, get_peft_model_state_dict  # takes a while, and is seldom needed

    tuned = PeftModel.from_pretrained(model, str(folder))
    with safe_open(folder / ADAPTER[1], "pt") as file:
        saved = set(file.keys())
    # PEFT only warns of weights that are missing, and says nothing of those it has no place for
    stray = saved ^ set(get_peft_model_state_dict(tuned, save_embedding_layers=False))
    if stray:
        raise InputError(
            f"{folder / ADAPTER[1]}: {len(stray)} weights are missing or have no place in {base}, "
            f"such as {min(stray)}; the adapter was made for another base"
        )
    merged: PreTrainedModel = tuned.merge_and_unload()
    return merged


def _load_whole(folder: Path, dtype: torch.dtype | str, name: str) -> Loaded:
    model, processor = load_whole(folder, dtype), _processor(folder, folder)
    return Loaded(model, processor, _format_of(folder, processor), name)


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
    try:
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
    except _UNLOADABLE as error:
        raise InputError(
            f"{folder}: transformers cannot load this model: {first_line(error)}"
        ) from error
    if missing := loading["missing_keys"]:  # transformers would go on with random numbers
        raise InputError(f"{folder}: {len(missing)} weights are missing, such as {min(missing)}")
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
    frames = frames or frames_read(folder, base)
    try:
        # Pillow's resize, whatever else is installed: torchvision's gives other pixels
        processor = load_stills(base, backend="pil", **_LOCAL)
        if frames is not None:
            processor = _clip_processor(processor, base, frames)
    except _UNLOADABLE as error:
        raise InputError(
            f"{base}: transformers cannot load its processor: {first_line(error)}"
        ) from error
    for one in dict.fromkeys((base, folder)):
        if (one / "locvlm.json").is_file():
            processor = apply_form(processor, ModelSettings.read(one).image_tokens)
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


def _format_of(folder: Path, processor: ProcessorMixin) -> CoordinateFormat:
    """As `locvlm.json` says; else what suits the model."""
    if (folder / "locvlm.json").is_file():
        return ModelSettings.read(folder).coordinates()
    return coordinates.default_for(processor, folder)


def _base_folder(base: str | None, folder: Path) -> Path:
    if base is None:
        raise InputError(f"{folder / 'locvlm.json'}: names no base; add it")
    if base == "tiny":
        return tiny.base_folder()
    if hub_id(base, folder):
        return Path(fetch_from_hub(base))
    path = (folder / base).resolve()  # an absolute path stays itself
    if not (path / "config.json").is_file():
        raise InputError(f"{folder / 'locvlm.json'}: base {base!r} is no model folder")
    return path


def _place_on_device(loaded: Loaded) -> Loaded:
    # of the processes that torchrun starts on a machine, each has a GPU
    gpu = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    device = gpu if torch.cuda.is_available() else "cpu"
    model = loaded.model.to(device=device, dtype=fast_dtype()).eval()
    if model.dtype == torch.float16:
        model.register_forward_hook(refuse_overflow)
    return replace(loaded, model=model)
