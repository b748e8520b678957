"""Detectors and panoptic segmenters of transformers, from a folder or the hub.

Picture processors are those that resize with Pillow, whatever else is installed, and no code from
a folder is executed.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import torch
import transformers
from safetensors import SafetensorError

from locvlm.errors import InputError
from locvlm.models.load import fetched
from locvlm.pseudo.detectors.base import Detector
from locvlm.pseudo.detectors.closed import ClosedSet
from locvlm.pseudo.detectors.grounding_dino import GroundingDino
from locvlm.pseudo.detectors.owl import Owl
from locvlm.pseudo.detectors.panoptic import Panoptic

CLOSED = (
    *("ConditionalDetrForObjectDetection", "DFineForObjectDetection", "DabDetrForObjectDetection"),
    *("DeformableDetrForObjectDetection", "DetrForObjectDetection", "LwDetrForObjectDetection"),
    *("RTDetrForObjectDetection", "RTDetrV2ForObjectDetection"),
    *("TableTransformerForObjectDetection", "YolosForObjectDetection"),
)
GROUNDING = ("GroundingDinoForObjectDetection", "MMGroundingDinoForObjectDetection")
OWL = ("OwlViTForObjectDetection", "Owlv2ForObjectDetection")
PANOPTIC = (
    *("DetrForSegmentation", "EomtForUniversalSegmentation", "Mask2FormerForUniversalSegmentation"),
    *("MaskFormerForInstanceSegmentation", "OneFormerForUniversalSegmentation"),
)
NEED_SCIPY = frozenset({"Owlv2ForObjectDetection", *PANOPTIC} - {"DetrForSegmentation"})

_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
_UNLOADABLE = (ImportError, KeyError, OSError, RuntimeError, SafetensorError, ValueError)

T = TypeVar("T")


def load_folder(name: str, categories: tuple[str, ...], least: float) -> Detector:
    """The detector of a folder or hub id; see `locvlm.pseudo.detectors.load`."""
    folder = Path(fetched(name))
    if not folder.is_dir():
        raise InputError(f"no detector {name!r}: it is neither ssd, nor a folder, nor a hub id")
    config = _try_loading(name, lambda: transformers.AutoConfig.from_pretrained(folder, **_LOCAL))
    architecture = (config.architectures or ["?"])[0]
    if architecture in NEED_SCIPY and not find_spec("scipy"):
        raise InputError(f"{name}: {architecture} needs SciPy; pip install 'locvlm[detect]'")
    if architecture in (*GROUNDING, *OWL):
        if not categories:
            raise InputError(f"{name}: must be told what to look for; give --classes a,b,c")
        processor = _processor(name, folder)
        kind = Owl if architecture in OWL else GroundingDino
        return kind(_model(name, folder, architecture), processor, categories, least)
    if architecture in CLOSED:
        images = _image_processor(name, folder)
        return ClosedSet(_model(name, folder, architecture), images, least)
    if architecture in PANOPTIC:
        processor = (
            # Its names of classes are for training alone, and would be fetched from the hub
            _processor(name, folder, class_info_file=None)
            if architecture == "OneFormerForUniversalSegmentation"
            else _image_processor(name, folder)
        )
        return Panoptic(_model(name, folder, architecture), processor)
    known = ", ".join(sorted((*CLOSED, *GROUNDING, *OWL, *PANOPTIC)))
    raise InputError(f"{name}: {architecture} is no detector that is known; known are ssd, {known}")


def _model(name: str, folder: Path, architecture: str) -> Any:
    kind = getattr(transformers, architecture)
    model, loading = _try_loading(
        name,
        lambda: kind.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **_LOCAL
        ),
    )
    if missing := loading["missing_keys"]:  # transformers would go on with random numbers
        raise InputError(f"{name}: {len(missing)} weights are missing, such as {min(missing)}")
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def _image_processor(name: str, folder: Path) -> Any:
    auto = transformers.AutoImageProcessor
    return _try_loading(name, lambda: auto.from_pretrained(folder, backend="pil", **_LOCAL))


def _processor(name: str, folder: Path, **options: Any) -> Any:
    auto = transformers.AutoProcessor
    return _try_loading(
        name, lambda: auto.from_pretrained(folder, backend="pil", **options, **_LOCAL)
    )


def _try_loading(name: str, load: Callable[[], T]) -> T:
    """What `load` gives. Raises InputError with the reason where it cannot."""
    try:
        return load()
    except _UNLOADABLE as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{name}: transformers cannot load this detector: {reason}") from error
