"""Detectors by name: the one that comes along, or any of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from locvlm.errors import InputError
from locvlm.pseudo.detectors.base import Detections, Detector

__all__ = ["Detections", "Detector", "load"]

SSD = "ssd"


def load(name: str, *, categories: tuple[str, ...] = (), least: float = 0.0) -> Detector:
    """A detector, on the GPU where there is one.

    Args:
        name: "ssd", or the folder or hub id of a detector or panoptic segmenter of transformers.
        categories: what to look for, for those that must be told.
        least: score below which nothing needs to be told.

    Raises:
        InputError: it cannot be had, is no detector, or needs categories.
    """
    if name == SSD:
        from locvlm.pseudo.detectors.ssd import Ssd

        return Ssd()
    return _of_transformers(name, categories, least)


def _of_transformers(name: str, categories: tuple[str, ...], least: float) -> Detector:
    import torch
    import transformers
    from transformers import AutoConfig
    from transformers.models.auto import modeling_auto

    from locvlm.models.load import fetched
    from locvlm.pseudo.detectors.closed import ClosedSet
    from locvlm.pseudo.detectors.open_vocabulary import OpenVocabulary
    from locvlm.pseudo.detectors.panoptic import Panoptic

    folder = Path(fetched(name))
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        kind = AutoConfig.from_pretrained(folder, **local).model_type

        def model_of(auto: str) -> Any:
            device = "cuda" if torch.cuda.is_available() else "cpu"
            loaded = getattr(transformers, auto).from_pretrained(
                folder, use_safetensors=True, **local
            )
            return loaded.to(device).eval()

        if kind in modeling_auto.MODEL_FOR_ZERO_SHOT_OBJECT_DETECTION_MAPPING_NAMES:
            if not categories:
                raise InputError(f"{name}: must be told what to look for; give --classes a,b,c")
            processor = transformers.AutoProcessor.from_pretrained(folder, backend="pil", **local)
            model = model_of("AutoModelForZeroShotObjectDetection")
            return OpenVocabulary(model, processor, categories, least)
        images = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil", **local)
        if kind in modeling_auto.MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES:
            return Panoptic(model_of("AutoModelForUniversalSegmentation"), images)
        if kind in modeling_auto.MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES:
            return ClosedSet(model_of("AutoModelForObjectDetection"), images, least)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{name}: transformers cannot load this detector: {reason}") from None
    raise InputError(f"{name}: a {kind} is no detector; known are ssd and those of transformers")
