"""Guided attention: while a location is spoken of, some heads should look at that location.

The answers alone say little about *where in the picture* their words come from: a box is four
numbers among hundreds of patches. But the boxes are known, so training can say it outright: at
every answer token, a few heads in a few layers should put their attention on the patches inside
the boxes that the answer is about. Nothing is added to the model; this is one more loss, and the
tuned model stays stock. It makes the few answers that two CPU cores can afford go further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from locvlm.geometry import Box, Frame, Location
from locvlm.training.tensor_record import TensorRecord

FIFTEENTHS = (4, 6, 8, 10, 12)  # of a model's depth: layers spread over the middle
SHALLOW = 8  # layers, of which no middle can be told
MIN_ATTENTION = 1e-4  # attention below which the loss is flat


def guided_layers(depth: int) -> frozenset[int]:
    """Which of a model's layers are guided; none where it has too few to spread them.

    >>> sorted(guided_layers(30))
    [8, 12, 16, 20, 24]
    """
    if depth <= SHALLOW:
        return frozenset()
    return frozenset(share * depth // 15 for share in FIFTEENTHS)


@dataclass(frozen=True)
class Guide(TensorRecord):
    """Where the tokens of one packed sequence should look."""

    regions: torch.Tensor  # (Q, P) True at the patches that a question's answer is about
    tokens: torch.Tensor  # (Q, L) True where the next token is learned
    losses: list[torch.Tensor] = field(default_factory=list)  # one per guided layer, after a pass
    asks: bool | None = None  # whether there is anything to look at; None: by the regions

    def __post_init__(self) -> None:
        if self.asks is None:  # now, and not of a GPU, which would have to be waited for
            object.__setattr__(self, "asks", bool(self.regions.any()))

    def record_attention(self, layer: int, depth: int, weights: torch.Tensor) -> None:
        """Note how much the first head of each group looks elsewhere.

        Args:
            layer: index of the layer.
            depth: of the model, in layers.
            weights: (K, G, Q, L, P + L) attention; G query heads share one of K key heads.
        """
        if layer not in guided_layers(depth) or not self.asks:
            return
        prefix = self.regions.shape[1]
        heads = weights[:, 0, :, :, :prefix].float()  # (K, Q, L, P)
        mass = (heads @ self.regions.float()[:, :, None])[..., 0]
        counted = (self.tokens & self.regions.any(1)[:, None]).float()  # of questions with a place
        each = -mass.clamp_min(MIN_ATTENTION).log() * counted
        self.losses.append(each.sum() / (len(heads) * counted.sum()))


@dataclass(frozen=True)
class Guides(TensorRecord):
    """Those of the rows of a batch."""

    rows: tuple[Guide, ...]

    def loss(self) -> torch.Tensor | None:
        """Mean over the rows of the mean over the guided layers.

        A row in which nothing was to be looked at counts as nothing; None where all are such.
        """
        means = [torch.stack(guide.losses).mean() for guide in self.rows if guide.losses]
        return torch.stack(means).sum() / len(self.rows) if means else None


def patch_mask(places: Sequence[Location], frame: Frame, grid: tuple[int, int]) -> np.ndarray:
    """(rows * columns,) bool: the patches with their center inside one of the boxes.

    The patch at each location's own center always counts, so nothing is too small to be seen.

    Args:
        places: original pixels.
        frame: from original to the model's pixels.
        grid: (columns, rows) of patches.
    """
    columns, rows = grid
    width, height = frame.model[0] / columns, frame.model[1] / rows  # of a patch, model pixels
    x, y = (np.arange(columns) + 0.5) * width, (np.arange(rows) + 0.5) * height
    mask = np.zeros((rows, columns), bool)
    for place in places:
        there = frame.apply(place)
        center = there.center if isinstance(there, Box) else there
        column = min(max(int(center.x / width), 0), columns - 1)
        row = min(max(int(center.y / height), 0), rows - 1)
        mask[row, column] = True
        if isinstance(there, Box):
            mask |= np.outer((there.y1 <= y) & (y < there.y2), (there.x1 <= x) & (x < there.x2))
    return mask.reshape(-1)
