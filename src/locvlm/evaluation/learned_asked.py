"""What ``run.json`` keeps of the images that a model learned from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class LearnedAsked:
    """What a model learned from, among the images that it is asked about."""

    known: int  # images that it is known to have learned from, asked about or not
    images: dict[str, Literal["equal", "near"]] = field(default_factory=dict)  # asked about
    unknown: tuple[str, ...] = ()  # models that it comes from and that do not say theirs
