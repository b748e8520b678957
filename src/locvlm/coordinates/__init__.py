"""Coordinate formats by name; the name is also the name of the file (``-`` and ``.`` as ``_``).

>>> from locvlm.geometry import Box
>>> get("ivb", bins=224).encode(Box(10, 120, 30, 145), (512, 512))
'(4,52,13,63)'
"""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from locvlm.coordinates.base import CoordinateError, CoordinateFormat, ParseReport
from locvlm.coordinates.cogvlm import CogVLM
from locvlm.coordinates.deepseek_vl2 import DeepSeekVL2
from locvlm.coordinates.dialect import Dialect
from locvlm.coordinates.diga import DIGA
from locvlm.coordinates.ferret import Ferret
from locvlm.coordinates.find_dialect import UnknownFamily, find_dialect
from locvlm.coordinates.florence_2 import Florence2
from locvlm.coordinates.gemini import Gemini
from locvlm.coordinates.glm_4v import GLM4V
from locvlm.coordinates.internvl import InternVL
from locvlm.coordinates.ivb import IVB
from locvlm.coordinates.kosmos_2 import Kosmos2
from locvlm.coordinates.llava_1_5 import Llava15
from locvlm.coordinates.minigpt_v2 import MiniGPTv2
from locvlm.coordinates.molmo import Molmo
from locvlm.coordinates.nfp import NFP
from locvlm.coordinates.paligemma import PaliGemma
from locvlm.coordinates.pixels import Pixels
from locvlm.coordinates.qwen2_5_vl import Qwen25VL
from locvlm.coordinates.qwen2_vl import Qwen2VL
from locvlm.coordinates.qwen3_vl import Qwen3VL
from locvlm.coordinates.qwen_vl import QwenVL
from locvlm.coordinates.shikra import Shikra
from locvlm.errors import InputError
from locvlm.geometry import Frame, Size
from locvlm.processors import frame_of, shows_tiles

__all__ = [
    "CoordinateError",
    "CoordinateFormat",
    "Dialect",
    "ModelCoordinates",
    "ParseReport",
    "default_for",
    "dialects",
    "for_model",
    "get",
    "names",
]

_DIALECTS: tuple[type[Dialect], ...] = (
    CogVLM,
    DeepSeekVL2,
    Ferret,
    Florence2,
    Gemini,
    GLM4V,
    InternVL,
    Kosmos2,
    Llava15,
    MiniGPTv2,
    Molmo,
    PaliGemma,
    Qwen25VL,
    Qwen2VL,
    Qwen3VL,
    QwenVL,
    Shikra,
)
_ALL: tuple[type[CoordinateFormat], ...] = (NFP, IVB, DIGA, Pixels, *_DIALECTS)
_FORMATS = {cls.name: cls for cls in _ALL}


def names() -> list[str]:
    """The known formats, sorted."""
    return sorted(_FORMATS)


def dialects() -> list[str]:
    """Those of them that a family of models speaks; they also know its `frame`. Sorted."""
    return sorted(cls.name for cls in _DIALECTS)


def get(name: str, **options: Any) -> CoordinateFormat:
    """The format `name` with its options (`bins` for ivb and diga, …).

    Raises InputError where the name, an option or its value is unknown.
    """
    if name not in _FORMATS:
        raise InputError(f"unknown coordinate format {name!r}; known: {', '.join(names())}")
    cls = _FORMATS[name]
    known = [f.name for f in fields(cls) if f.init]
    for option in options:
        if option not in known:
            raise InputError(
                f"coordinate format {name} has no option {option!r}; "
                f"it has: {', '.join(known) or 'none'}"
            )
    return cls(**options)


class ModelCoordinates(NamedTuple):
    """How a model writes places: ``dialect.parse(answer, frame(picture.size))``."""

    dialect: Dialect
    frame: Callable[[Size], Frame]  # of a picture's (width, height) in original pixels


def for_model(model: str | Path | Any, **options: Any) -> ModelCoordinates:
    """The dialect that a model speaks, and the frame of what it sees.

    Args:
        model: a model's name (``Qwen/Qwen2.5-VL-7B-Instruct``), a folder with its `config.json`,
            or its Hugging Face configuration or processor.
        options: of the dialect; they win over the settings of the folder or the processor.

    Raises:
        InputError: the model is of none of the known families, or an option does not exist.
    """
    found = find_dialect(model)
    dialect = get(found.name, **{**found.options, **options})
    assert isinstance(dialect, Dialect)
    return ModelCoordinates(dialect, found.frame_of or dialect.frame)


TILED_BINS = 1000  # finer than what a model sees in tiles; the thousandths of most families


def default_for(processor: Any, model: str | Path | Any | None = None) -> CoordinateFormat:
    """The format to ask or teach a model in, where nobody has chosen one.

    The family's own dialect, which the model knows already. Of other families IVB, the paper's
    choice, with as many bins as the model's picture has pixels; with 1000 where the model sees
    tiles, too, since these have more pixels than their overview. The frame is its `frame_on`.

    Args:
        processor: the model's, by which the frame is read.
        model: its folder or configuration, if known: some families share a processor.

    Raises:
        InputError: what the processor does to pictures is not known.
    """
    try:
        found = find_dialect(processor if model is None else model)
        return get(found.name, **found.options)
    except UnknownFamily:
        if shows_tiles(processor):
            return get("ivb", bins=TILED_BINS)
        return get("ivb", bins=frame_of(processor, (640, 480)).model[0])
