"""Detectors and panoptic segmenters of transformers, from a folder or the hub.

Each file beside this one that reads such models has its `FAMILIES`; a new kind is one more record.

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
from locvlm.models.folders import fetch_from_hub
from locvlm.pseudo.detectors import closed, grounding_dino, owl, panoptic
from locvlm.pseudo.detectors.base import Detector, DetectorFamily

FAMILIES = {
    architecture: family
    for family in (
        *closed.FAMILIES,
        *grounding_dino.FAMILIES,
        *owl.FAMILIES,
        *panoptic.FAMILIES,
    )
    for architecture in family.architectures
}

_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
_UNLOADABLE = (ImportError, KeyError, OSError, RuntimeError, SafetensorError, ValueError)

T = TypeVar("T")


def load_folder(name: str, categories: tuple[str, ...], min_score: float) -> Detector:
    """The detector of a folder or hub id; see `locvlm.pseudo.detectors.load`."""
    folder = Path(fetch_from_hub(name))
    if not folder.is_dir():
        raise InputError(f"no detector {name!r}: it is neither ssd, nor a folder, nor a hub id")
    config = _try_loading(name, lambda: transformers.AutoConfig.from_pretrained(folder, **_LOCAL))
    architecture = (config.architectures or ["?"])[0]
    if architecture not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        raise InputError(
            f"{name}: {architecture} is no detector that is known; known are ssd, {known}"
        )
    family = FAMILIES[architecture]
    if family.needs_scipy and not find_spec("scipy"):
        raise InputError(f"{name}: {architecture} needs SciPy; pip install 'locvlm[detect]'")
    if family.needs_categories and not categories:
        raise InputError(f"{name}: must be told what to look for; give --classes a,b,c")
    processor = _load_processor(name, folder, family)
    return family.build(_load_model(name, folder, architecture), processor, categories, min_score)


def _load_model(name: str, folder: Path, architecture: str) -> Any:
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


def _load_processor(name: str, folder: Path, family: DetectorFamily) -> Any:
    kind = transformers.AutoProcessor if family.reads_text else transformers.AutoImageProcessor
    options = {"backend": "pil", **family.processor_options, **_LOCAL}
    return _try_loading(name, lambda: kind.from_pretrained(folder, **options))


def _try_loading(name: str, load: Callable[[], T]) -> T:
    """What `load` gives. Raises InputError with the reason where it cannot."""
    try:
        return load()
    except _UNLOADABLE as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{name}: transformers cannot load this detector: {reason}") from error
