"""The door of model folders: an error becomes one line, and nothing is fetched or unpickled.

A folder of somebody else's is read by transformers, peft, safetensors and tokenizers, which trust
its settings: a wrong type there ends anywhere in their code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from locvlm.errors import InputError, first_line
from locvlm.io.reading import quote

_SETTINGS = (
    "config.json",
    "generation_config.json",
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "adapter_config.json",
)
_INDEX = "*.index.json"
_PLAIN = (OSError, ValueError, RuntimeError, ImportError)  # whose messages are made to be read
_KERNELS = ("attn_implementation", "experts_implementation")  # parts of the names of settings


@contextmanager
def refuse_unloadable(folder: object, what: str) -> Iterator[None]:
    """Any error of loading becomes an InputError of one line; its cause is kept for ``--debug``.

    Args:
        folder: or name, that is loaded.
        what: cannot be done with it, for the message, such as "transformers cannot load it".
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{folder}: {what}: {describe_error(error)}") from error


def describe_error(error: Exception) -> str:
    """An error of somebody else's code in one line; with its class where it is no sentence."""
    said = first_line(error)
    if isinstance(error, _PLAIN) or said == type(error).__name__:
        return said
    return f"{type(error).__name__} {said}"


def check_settings(folder: Path) -> None:
    """Raises InputError where a file of a folder's settings is no JSON object, or names others.

    An index of weights names ``.safetensors`` files of the folder alone, since transformers would
    unpickle any other; a configuration names no attention kernels, which it would fetch and run.
    """
    for name in _SETTINGS:
        if (folder / name).is_file():
            settings = _read_object(folder / name)
            if kernel := _named_kernel(settings):
                raise InputError(
                    f"{folder / name}: names kernels to be fetched and run, {quote(kernel)}; "
                    "remove that setting"
                )
    for path in sorted(folder.glob(_INDEX)):
        _check_index(path)


def _read_object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: no JSON ({first_line(error)}); get the file again") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: no JSON object; get the file again")
    return found


def _check_index(path: Path) -> None:
    files = _read_object(path).get("weight_map")
    if not isinstance(files, dict):
        raise InputError(f"{path}: has no weight_map; get the file again")
    for file in files.values():
        plain = isinstance(file, str) and not set(file) & set("/\\:\0")
        if not plain or not file.endswith(".safetensors"):
            raise InputError(
                f"{path}: weight_map names {quote(file)}; LocVLM reads .safetensors files of the "
                "same folder alone: convert the weights"
            )


def _named_kernel(settings: Any) -> str | None:
    """The first repository of kernels that a setting names, at any depth."""
    waiting = [(settings, False)]
    while waiting:
        value, named = waiting.pop()
        if isinstance(value, str) and named and "/" in value:
            return value
        if isinstance(value, dict):
            waiting += [
                (of, named or any(part in key for part in _KERNELS)) for key, of in value.items()
            ]
        elif isinstance(value, list):
            waiting += [(of, named) for of in value]
    return None
