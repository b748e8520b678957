"""Weights that were quantized, and the methods that transformers knows."""

from __future__ import annotations

import json
from pathlib import Path

from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING

from locvlm.errors import InputError
from locvlm.io.reading import quote

_BITSANDBYTES = ("load_in_4bit", "load_in_8bit")


def refuse_unknown_quantization(folder: Path) -> None:
    """Raises InputError where the weights in a folder are quantized by a method nobody knows.

    transformers would only note that, and take the packed numbers for weights.
    """
    try:
        config = json.loads((folder / "config.json").read_bytes())
        settings = config.get("quantization_config")
    except (OSError, ValueError, AttributeError):
        return  # transformers says what is wrong with it
    if not isinstance(settings, dict) or any(map(settings.get, _BITSANDBYTES)):
        return  # none, or bitsandbytes, whatever else it says
    method = settings.get("quant_method")
    if method is not None and str(method) not in AUTO_QUANTIZATION_CONFIG_MAPPING:
        raise InputError(
            f"{folder / 'config.json'}: quantization_config: transformers knows no quant_method "
            f"{quote(method)}; take the weights that are not quantized, or a newer transformers"
        )
