"""What an inspection needs of a model: its processor and coordinate format, never its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoProcessor

from locvlm import coordinates
from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError
from locvlm.geometry import Frame
from locvlm.models import tiny
from locvlm.models.load import UNTRAINED, Settings, adapter_folder, names


def processor_of(name: str) -> tuple[Any, CoordinateFormat]:
    """The processor and the coordinate format of a shipped model or of a folder.

    Raises:
        InputError: there is no such model, or its processor cannot be loaded.
    """
    if name == UNTRAINED:
        folder = base = tiny.base_folder()
    elif (Path(name) / "config.json").is_file() and name not in names():
        folder = base = Path(name)
    else:
        folder = adapter_folder(name)
        written = Settings.read(folder).base or "tiny"
        base = tiny.base_folder() if written == "tiny" else (folder / written).resolve()
    try:
        # Pillow's resize, as models are loaded: torchvision's gives other pixels
        processor = AutoProcessor.from_pretrained(base, backend="pil", local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{base}: transformers cannot load its processor: {reason}") from error
    return processor, _format_of(folder, processor)


def _format_of(folder: Path, processor: Any) -> CoordinateFormat:
    """As `locvlm.json` says, or else as many bins as the model's picture has pixels."""
    if (folder / "locvlm.json").is_file():
        return Settings.read(folder).coordinates()
    width, _ = Frame.from_processor(processor, (640, 480)).model
    return coordinates.get("ivb", bins=width)
