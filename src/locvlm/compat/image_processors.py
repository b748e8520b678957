"""Processors for images alone: transformers reads videos with torchvision, which may be missing.

Qwen-VL, InternVL and SmolVLM are not loaded at all then, though their images need none of it:
transformers 5.23, `ProcessorMixin._get_arguments_from_pretrained`, loads every attribute. Needless
once it leaves out a video processor that cannot be loaded.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from transformers import AutoConfig, AutoProcessor, ProcessorMixin
from transformers.models.auto.processing_auto import (
    PROCESSOR_MAPPING_NAMES,
    processor_class_from_name,
)
from transformers.utils import is_torchvision_available

VIDEOS = "video_processor"


def load_stills(folder: Path, **options: Any) -> ProcessorMixin:
    """As `AutoProcessor.from_pretrained`, without what needs torchvision where there is none."""
    if not is_torchvision_available():
        config = AutoConfig.from_pretrained(folder, **options)
        name = PROCESSOR_MAPPING_NAMES.get(config.model_type)
        kind = processor_class_from_name(name) if name else None
        if kind is not None and VIDEOS in kind.get_attributes():
            return stills_only(kind).from_pretrained(folder, **options)
    return AutoProcessor.from_pretrained(folder, **options)


def stills_only(kind: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """`kind` under its own name, without the part that reads videos."""

    class Stills(kind):  # type: ignore[valid-type,misc]
        # SmolVLM's chat asks how fast its videos are
        video_processor = SimpleNamespace(num_frames=None, fps=None)

        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in super().get_attributes() if name != VIDEOS]

        @classmethod
        def _get_arguments_from_pretrained(cls, *args: Any, **options: Any) -> list[Any]:
            found = super()._get_arguments_from_pretrained(*args, **options)
            return [*found, None]  # the reader of videos comes last, and SmolVLM must be given one

    Stills.__name__ = kind.__name__  # it is written into the files, and read by it
    return Stills
