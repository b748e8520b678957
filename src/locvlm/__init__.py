"""LocVLM: vision-language models that know where things are.

>>> import locvlm
>>> model = locvlm.load("tiny")  # doctest: +SKIP
>>> model.locate("street.jpg", "dog").box  # doctest: +SKIP
Box(x1=112.0, y1=80.5, x2=301.4, y2=233.0)
"""

# No "from __future__ import annotations" here: it would hide the package locvlm.annotations.
from pathlib import Path
from typing import TYPE_CHECKING

from locvlm.runtime.threads import wait_politely
from locvlm.version import __version__

if TYPE_CHECKING:
    from locvlm.inference.predictor import Predictor

__all__ = ["__version__", "load"]

wait_politely()


def load(name: str | Path = "tiny", *, temperature: float = 0.0, seed: int = 0) -> "Predictor":
    """A model that answers where things are and what is there.

    Args:
        name: a shipped model (`tiny`, …), or the folder of an adapter or of a whole model.
        temperature: at which answers are drawn (the paper's is 0.2); 0: the likeliest tokens.
        seed: of what is drawn: the same question gives the same answer; with another, another.

    Raises:
        InputError: there is no such model, its files do not fit together, or the temperature is
            none.
    """
    from locvlm.inference.predictor import load_predictor  # here, so that the import stays light
    from locvlm.inference.sampling import sampling_at

    return load_predictor(name, sampling=sampling_at(temperature, seed))
