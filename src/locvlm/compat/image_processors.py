"""Processors for images alone: what reads videos needs torchvision, and has no Pillow backend.

Qwen-VL, InternVL and SmolVLM are not loaded at all without torchvision, nor with it where the
backend `pil` is asked for, though their images need none of it: transformers 5.23,
`ProcessorMixin._get_arguments_from_pretrained`, loads every attribute, all with the same options.
So that both worlds see the same pixels, videos are left out in both; their settings are kept, and
written again by `save_pretrained`. Needless once a video processor that cannot be loaded is left
out, and the backend is that of images.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoProcessor, ProcessorMixin
from transformers.models.auto.processing_auto import (
    PROCESSOR_MAPPING_NAMES,
    processor_class_from_name,
)
from transformers.utils import PushToHubMixin

VIDEOS = "video_processor"
_PROCESSOR, _IMAGES = "processor_config.json", "preprocessor_config.json"
# Settings that an image processor shares with the one of videos, where a folder has none of these
_SHARED = ("patch_size", "temporal_patch_size", "merge_size", "image_mean", "image_std")


def load_stills(folder: Path, **options: Any) -> ProcessorMixin:
    """As `AutoProcessor.from_pretrained`, without what reads videos.

    Raises:
        OSError, ValueError: transformers cannot load it, or there is none for images.
    """
    kind = _class_of(folder, options)
    if kind is not None and VIDEOS in kind.get_attributes():
        return stills_only(kind).from_pretrained(folder, **options)
    return AutoProcessor.from_pretrained(folder, **options)


def reads_videos(processor: Any) -> bool:
    """Whether in transformers its kind has a part that reads videos."""
    return VIDEOS in type(processor).get_attributes()


class VideoSettings(PushToHubMixin):  # which `ProcessorMixin.to_dict` asks for its own
    """Stands for a video processor: knows its settings, and reads nothing."""

    _auto_class = None
    model_input_names: tuple[str, ...] = ()

    def __init__(self, settings: Mapping[str, Any]):
        self._settings = dict(settings)

    def __getattr__(self, name: str) -> Any:
        """A setting; None where it has none: SmolVLM's chat asks how fast its videos are."""
        if name.startswith("_"):
            raise AttributeError(name)
        return self._settings.get(name)

    @property
    def font(self) -> str:
        """The file of ERNIE's, which is copied beside its processor where there is one."""
        return str(self._settings.get("font") or "")

    def to_dict(self) -> dict[str, Any]:
        """As in `processor_config.json`."""
        return dict(self._settings)


def stills_only(kind: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """`kind` under its own name, with `VideoSettings` for what reads videos."""

    class Loading(kind):  # type: ignore[valid-type,misc]
        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in kind.get_attributes() if name != VIDEOS]

    class Stills(kind):  # type: ignore[valid-type,misc]
        @property
        def video_processor(self) -> VideoSettings:
            return self.__dict__[VIDEOS]

        @video_processor.setter
        def video_processor(self, given: VideoSettings | None) -> None:
            self.__dict__[VIDEOS] = given or VideoSettings({})

        @classmethod
        def _get_arguments_from_pretrained(cls, folder: Any, *args: Any, **options: Any) -> Any:
            found = Loading._get_arguments_from_pretrained(folder, *args, **options)
            names = Loading.get_attributes()
            images = found[names.index("image_processor")] if "image_processor" in names else None
            videos = VideoSettings(_video_settings(Path(folder), images))
            found.insert(kind.get_attributes().index(VIDEOS), videos)
            return found

        def check_argument_for_proper_class(self, name: str, argument: Any) -> Any:
            if name == VIDEOS and isinstance(argument, VideoSettings | None):
                return VideoSettings
            return super().check_argument_for_proper_class(name, argument)

    # They are written into the files, and read by it
    Loading.__name__ = Stills.__name__ = kind.__name__
    return Stills


def _class_of(folder: Path, options: Mapping[str, Any]) -> type[ProcessorMixin] | None:
    """The class that `AutoProcessor` would take; None where it is no class of transformers."""
    for file in (_PROCESSOR, _IMAGES, "tokenizer_config.json"):
        if name := _read(folder / file).get("processor_class"):
            return processor_class_from_name(name)
    config = AutoConfig.from_pretrained(folder, **options)
    name = PROCESSOR_MAPPING_NAMES.get(config.model_type)
    return processor_class_from_name(name) if name else None


def _video_settings(folder: Path, images: Any) -> dict[str, Any]:
    """Of the video processor, where transformers looks for them, and in its order.

    A folder that was written without torchvision has none: then what is the same for images; the
    class follows from `config.json`, and all else are its defaults.
    """
    inside = _read(folder / _PROCESSOR).get(VIDEOS)
    found = inside or _read(folder / "video_preprocessor_config.json")
    if not found:  # older folders: one file for images and videos
        old = _read(folder / _IMAGES)
        found = {name: value for name, value in old.items() if name != "image_processor_type"}
    if found:
        return dict(found)
    shared = {name: getattr(images, name, None) for name in _SHARED}
    return {name: value for name, value in shared.items() if value is not None}


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
