"""What every target of an export gets: pictures with questions, and how to write locations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locvlm.coordinates import CoordinateFormat
from locvlm.instructions.base import Conversation

IMAGE = "<image>"  # where most trainers put the picture into a text
Record = dict[str, Any]


@dataclass(frozen=True)
class ExportSample:
    """One picture with its questions."""

    conversation: Conversation
    path: Path  # of the picture, absolute
    coordinates: CoordinateFormat
    turns: tuple[tuple[str, str], ...]  # question, answer; empty where the target needs no text

    @property
    def size(self) -> Record:
        """The picture's size as columns: with them, coordinates can be converted later."""
        return {"width": self.conversation.width, "height": self.conversation.height}


@dataclass(frozen=True)
class ExportOptions:
    """What some targets can be told."""

    with_images: bool = False  # put the picture files into the data
    shard_size: int = 500  # megabytes, of WebDataset's files
