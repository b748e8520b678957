"""Which splits of a data set are read: those for training, unless others are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from locvlm.errors import InputError
from locvlm.io.reading import quote

TRAIN, ALL = "train", "all"


def choose_split(split: str | None, known: Sequence[str], path: Path) -> str:
    """The split to read, `ALL` for every one.

    Args:
        split: its name, or `ALL`; None: train, or the only one that there is.
        known: the splits that there are.
        path: of the annotations, for the message.

    Raises:
        InputError: there is no such split, or none was chosen of several without a train.
    """
    has = f"it has: {quote(', '.join(known), 200)}" if known else "it has none"
    if split is None and len(known) > 1 and TRAIN not in known:
        raise InputError(f"{path}: has no split train; give --split NAME or all; {has}")
    if split not in (None, ALL, *known):
        raise InputError(f"{path}: has no split {split!r}; {has}")
    if split is None:
        return TRAIN if TRAIN in known else next(iter(known), ALL)
    return split
