"""What an objective does not ask about, of many images at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Reason(NamedTuple):
    """Why some of what there is are not asked about: "28 of 103 `what`: `why`"."""

    what: str  # that is counted: objects, pictures, captions
    why: str


class Share(NamedTuple):
    """How many are left out for a reason, and of how many."""

    number: int
    of: int


Remainder = Mapping[Reason, Share]

IMAGES, OBJECTS = "pictures", "objects"
SEVERAL = Reason(OBJECTS, "their picture holds several of the kind")
UNSURE = Reason(OBJECTS, "their kind has a crowd or things without a box in the picture")
UNDESCRIBED = Reason(OBJECTS, "they have no description of their own")


def count_in(reason: Reason, mask: NDArray[np.bool_], among: NDArray[np.bool_]) -> Remainder:
    """Those of `among` (N,) that `mask` (N,) names."""
    return {reason: Share(int((mask & among).sum()), int(among.sum()))}


def count_others(reason: Reason, asked: NDArray[np.int64], total: int) -> Remainder:
    """The images of a batch of `total` whose index is not in `asked`."""
    return {reason: Share(total - len(np.unique(asked)), total)}
