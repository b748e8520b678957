"""Which dialect a model speaks, told from its name, its configuration or its processor.

A family is listed only where its coordinates are known to be those of the dialect: Molmo2 and
Kosmos-2.5, LLaVA-NeXT and Qwen2.5-Omni write or see differently, or have not said, and are unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from locvlm.errors import InputError
from locvlm.geometry import Frame, Size
from locvlm.processors import frame_of

# Names of models, as on the Hugging Face hub: lower case, `_` as `-`, without the owner.
_NAMES = {
    r"\bshikra\b": "shikra",
    r"\bkosmos-2(?![.\d])": "kosmos-2",
    r"^ferret(-ui)?\b": "ferret",
    r"\bllava-(v)?1\.5\b": "llava-1.5",
    r"\bminigpt-?v2\b": "minigpt-v2",
    r"\bcogvlm(?!2)|\bcogagent\b": "cogvlm",
    r"\bqwen-vl\b(?!-(max|plus))": "qwen-vl",
    r"\bqwen2-vl\b": "qwen2-vl",
    r"\bqwen2\.5-vl\b": "qwen2.5-vl",
    r"\bqwen3-vl\b": "qwen3-vl",
    r"\b(mini-)?internvl(?!a)": "internvl",
    r"\bpaligemma2?\b": "paligemma",
    r"\bflorence-2\b": "florence-2",
    r"\bmolmo(e)?-": "molmo",
    r"\bglm-?4(\.\d)?v\b": "glm-4v",
    r"\bgemini-": "gemini",
    r"\bdeepseek-vl2\b": "deepseek-vl2",
}
# `model_type` or `architectures` of a config.json, `XxxProcessor`: letters and digits only.
_TYPES = {
    "shikra": "shikra",
    "kosmos2": "kosmos-2",
    "ferretllama": "ferret",
    "minigpt4": "minigpt-v2",
    "cogvlm": "cogvlm",
    "cogagent": "cogvlm",
    "qwen2vl": "qwen2-vl",
    "qwen25vl": "qwen2.5-vl",
    "qwen3vl": "qwen3-vl",
    "qwen3vlmoe": "qwen3-vl",
    "internvl": "internvl",
    "internvlchat": "internvl",
    "paligemma": "paligemma",
    "florence2": "florence-2",
    "molmo": "molmo",
    "glm4v": "glm-4v",
    "glm4vmoe": "glm-4v",
    "glm46v": "glm-4v",
    "deepseekvlv2": "deepseek-vl2",
}
_TYPE_ENDS = re.compile(r"(processor|forconditionalgeneration|forcausallm|model)$")
_PROCESSOR_FILES = (
    ("processor_config.json", "image_processor"),
    ("preprocessor_config.json", ""),
)


class UnknownFamily(InputError):
    """A model of no family whose coordinates are known."""


class Family(NamedTuple):
    """A dialect by name, with the options that the model's settings ask for."""

    name: str
    options: dict[str, Any]
    frame_of: Callable[[Size], Frame] | None = None  # where the processor decides what is seen


def family_of(model: str | Path | Any) -> Family:
    """The family of a name, a folder, a configuration or a processor.

    Raises UnknownFamily; InputError where a folder's files cannot be read.
    """
    if isinstance(model, Path) or (isinstance(model, str) and model and Path(model).is_dir()):
        return _of_folder(Path(model))
    if isinstance(model, str):
        return Family(_of_name(model), {})
    if hasattr(model, "model_type"):
        return Family(_of_config(model.to_dict(), type(model).__name__), {})
    return _of_processor(model)


def _of_name(model: str) -> str:
    name = model.rstrip("/").rsplit("/", 1)[-1].lower().replace("_", "-")
    found = [dialect for pattern, dialect in _NAMES.items() if re.search(pattern, name)]
    if len(found) != 1:
        raise _unknown(f"model {model!r}")
    return found[0]


def _of_folder(folder: Path) -> Family:
    config = _read(folder / "config.json")
    name = _of_config(config, str(folder / "config.json"))
    return Family(name, _pixels(_pictures(folder)) if name == "qwen2.5-vl" else {})


def _pictures(folder: Path) -> dict[str, Any]:
    """The settings of the image processor; transformers 5 keeps them among the processor's."""
    for file, part in _PROCESSOR_FILES:
        if (folder / file).is_file():
            settings = _read(folder / file)
            return settings.get(part, settings)
    return {}


def _of_config(config: Mapping[str, Any], where: str) -> str:
    kinds = [config.get("model_type"), *(config.get("architectures") or [])]
    types = [str(kind) for kind in kinds if kind]
    if "llava" in types and _is_llava_1_5(config):
        return "llava-1.5"
    if "qwen" in types and "visual" in config:  # Qwen, the language model, has the same type
        return "qwen-vl"
    if "chatglm" in types and "vision_config" in config:
        return "glm-4v"
    return _of_types(types, f"{where}: a model of type {', '.join(types) or 'none'}")


def _is_llava_1_5(config: Mapping[str, Any]) -> bool:
    """The same `model_type` is on Pixtral (another eye) and on BakLLaVA (another tongue)."""
    eye = (config.get("vision_config") or {}).get("model_type", "clip_vision_model")
    tongue = (config.get("text_config") or {}).get("model_type", "llama")
    return (eye, tongue, config.get("image_aspect_ratio", "pad")) == (
        "clip_vision_model",
        "llama",
        "pad",
    )


def _of_processor(processor: Any) -> Family:
    kind = type(processor).__name__
    if kind == "LlavaProcessor":  # its shares are of what the processor leaves of a picture
        return Family("llava-1.5", {}, lambda size: frame_of(processor, size))
    name = _of_types([kind], f"a {kind}")
    if name == "qwen2.5-vl":
        return Family(name, _pixels(processor.image_processor))
    return Family(name, {})


def _of_types(types: Iterable[str], what: str) -> str:
    for kind in types:
        plain = _TYPE_ENDS.sub("", re.sub(r"[^a-z0-9]", "", kind.lower()))
        if plain in _TYPES:
            return _TYPES[plain]
    raise _unknown(what)


def _pixels(settings: Any) -> dict[str, Any]:
    """Qwen's bounds: `min_pixels` and `max_pixels`, in transformers 5 the edges of `size`."""
    size = _setting(settings, "size")
    found = {
        "min_pixels": _setting(settings, "min_pixels") or _setting(size, "shortest_edge"),
        "max_pixels": _setting(settings, "max_pixels") or _setting(size, "longest_edge"),
    }
    return {option: int(value) for option, value in found.items() if value}


def _setting(settings: Any, name: str) -> Any:
    """From a file's settings or a processor's; transformers has a `SizeDict` that is no dict."""
    if isinstance(settings, Mapping):
        return settings.get(name)
    return getattr(settings, name, None)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; give a model's folder or name") from error
    except ValueError as error:
        raise InputError(f"{file}: no JSON ({error}); download the model again") from error
    if not isinstance(content, dict):
        raise InputError(f"{file}: no JSON object; download the model again")
    return content


def _unknown(what: str) -> UnknownFamily:
    return UnknownFamily(
        f"{what} is of no family whose coordinates are known ({', '.join(_NAMES.values())}); "
        "find out what it writes and choose by hand: coordinates.get(NAME), and its .frame(size)"
    )
