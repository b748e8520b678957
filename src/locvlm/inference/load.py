"""A model by name or folder, ready to be asked."""

from __future__ import annotations

from pathlib import Path

from locvlm.inference.predictor import Predictor
from locvlm.models.load import load_model


def load_predictor(name: str | Path = "tiny") -> Predictor:
    """A model that answers where things are and what is there.

    Args:
        name: a shipped model (`tiny`, …), or the folder of an adapter or of a whole model.

    Raises:
        InputError: there is no such model, or its files do not fit together.
    """
    it = load_model(name)
    return Predictor(it.model, it.processor, it.coordinates, name=it.name)
