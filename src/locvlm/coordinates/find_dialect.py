"""Which dialect a model speaks, told from its name, its configuration or its processor."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from locvlm.errors import InputError
from locvlm.families import FAMILIES, Family, find_named, get_family
from locvlm.geometry import Frame, Size
from locvlm.processors import frame_of

_PROCESSOR_FILES = (
    ("processor_config.json", "image_processor"),
    ("preprocessor_config.json", ""),
)


class UnknownFamily(InputError):
    """A model of no family whose coordinates are known."""


class ModelDialect(NamedTuple):
    """A dialect by name, with the options that the model's settings ask for."""

    name: str
    options: dict[str, Any]
    frame_of: Callable[[Size], Frame] | None = None  # where the processor decides what is seen


def find_dialect(model: str | Path | Any) -> ModelDialect:
    """The dialect of a model's name, folder, configuration or processor.

    Raises UnknownFamily; InputError where a folder's files cannot be read.
    """
    if isinstance(model, Path) or (isinstance(model, str) and model and Path(model).is_dir()):
        return _of_folder(Path(model))
    if isinstance(model, str):
        return ModelDialect(_of_name(model), {})
    if hasattr(model, "model_type"):
        family = _of_config(model.to_dict(), type(model).__name__)
        return ModelDialect(family.dialect, {})
    return _of_processor(model)


def _of_name(model: str) -> str:
    found = find_named(model)
    if len(found) != 1:
        raise _unknown(f"model {model!r}")
    return found[0].dialect


def _of_folder(folder: Path) -> ModelDialect:
    family = _of_config(_read(folder / "config.json"), str(folder / "config.json"))
    options = _pixel_bounds(_image_settings(folder)) if family.pixel_bounds else {}
    return ModelDialect(family.dialect, options)


def _image_settings(folder: Path) -> dict[str, Any]:
    """Those of the image processor; transformers 5 keeps them among the processor's."""
    for file, part in _PROCESSOR_FILES:
        if (folder / file).is_file():
            settings = _read(folder / file)
            return settings.get(part, settings)
    return {}


def _of_config(config: Mapping[str, Any], where: str) -> Family:
    names = [config.get("model_type"), *(config.get("architectures") or [])]
    types = [str(name) for name in names if name]
    for family in map(get_family, types):
        if family.dialect and _is_of(family, config):
            return family
    raise _unknown(f"{where}: a model of type {', '.join(types) or 'none'}")


def _is_of(family: Family, config: Mapping[str, Any]) -> bool:
    """Whether a configuration of the family's type has all that makes a model one of it."""
    if any(key not in config for key in family.config_keys):
        return False
    for path, value in family.config_values.items():
        part, _, key = path.rpartition(".")
        inside = (config.get(part) or {}) if part else config
        if inside.get(key, value) != value:
            return False
    return True


def _of_processor(processor: Any) -> ModelDialect:
    kind = type(processor).__name__
    family = get_family(kind)
    if not family.dialect or family.config_keys:
        raise _unknown(f"a {kind}")
    options = _pixel_bounds(processor.image_processor) if family.pixel_bounds else {}
    frame = (lambda size: frame_of(processor, size)) if family.frame_by_processor else None
    return ModelDialect(family.dialect, options, frame)


def _pixel_bounds(settings: Any) -> dict[str, Any]:
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
    known = dict.fromkeys(family.dialect for family in FAMILIES if family.dialect)
    return UnknownFamily(
        f"{what} is of no family whose coordinates are known ({', '.join(known)}); "
        "find out what it writes and choose by hand: coordinates.get(NAME), and its .frame(size)"
    )
