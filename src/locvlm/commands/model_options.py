"""The flags of `locate`, `describe`, `ask` and `eval` that say how a model is loaded and asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locvlm.commands.arguments import get_format_or_none

if TYPE_CHECKING:
    from locvlm.inference.predictor import Predictor


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How a model is loaded and asked, as the flags give it.

    Raises InputError where the format is unknown.
    """

    format: str | None  # the coordinate format that it speaks; None: its own
    min_pixels: int | None  # of an image, as it sees it (see `models.pixel_limits`)
    max_pixels: int | None
    temperature: float  # 0: greedy (see `inference.sampling`)
    seed: int  # of what is drawn

    def __post_init__(self) -> None:
        """A name that is wrong is told before anything is loaded."""
        get_format_or_none(self.format)

    def load(self, model: str) -> Predictor:
        """The model. Raises InputError where there is none, or a number is out of range."""
        from locvlm.inference.predictor import load_predictor
        from locvlm.inference.sampling import sampling_at
        from locvlm.models.folders import format_for
        from locvlm.models.pixel_limits import PixelLimits

        return load_predictor(
            model,
            speech=format_for(model, self.format) if self.format else None,
            pixels=PixelLimits(self.min_pixels, self.max_pixels),
            sampling=sampling_at(self.temperature, self.seed),
        )
