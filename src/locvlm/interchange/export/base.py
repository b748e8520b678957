"""What an export target is, and what it gets: pictures with questions, and how to write them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from locvlm.coordinates import CoordinateFormat
from locvlm.instructions.base import Conversation
from locvlm.media.opening import is_clip_only

# Where most trainers put the picture, or the clip, into a text
IMAGE, VIDEO = "<image>", "<video>"
Record = dict[str, Any]


@dataclass(frozen=True)
class ExportSample:
    """One picture or clip with its questions."""

    conversation: Conversation
    path: Path  # of the picture or clip, absolute
    coordinates: CoordinateFormat
    turns: tuple[tuple[str, str], ...]  # question, answer; empty where the target needs no text

    @property
    def is_clip(self) -> bool:
        """Whether it is a clip that no viewer of images opens."""
        return is_clip_only(self.path)

    @property
    def mark(self) -> str:
        """What stands for it in a text."""
        return VIDEO if self.is_clip else IMAGE

    @property
    def size(self) -> Record:
        """The picture's size as columns: with them, coordinates can be converted later."""
        return {"width": self.conversation.width, "height": self.conversation.height}


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """How to write locations, and what some targets can be told."""

    coordinates: CoordinateFormat | None = None  # None: the model's own way, or else ivb
    model: str | None = None  # its processor gives the frame; None: that of the format's models
    images: Path | None = None  # folder of the data set's images; None: as it says itself
    split: str | None = None  # such as val, or all; None: what the data set asks about
    with_images: bool = False  # put the picture files into the data
    shard_size: int = 500  # megabytes, of WebDataset's files


class WriteSamples(Protocol):
    """Writes samples to `out`, there complete or not at all."""

    def __call__(
        self, samples: Iterable[ExportSample], out: Path, options: ExportOptions
    ) -> None: ...


@dataclass(frozen=True, kw_only=True)
class ExportTarget:
    """Another project's form of data."""

    name: str
    write: WriteSamples
    reserved: tuple[str, ...] = ()  # what it would take for a picture or a box, not for text
    dialects: tuple[str, ...] = ()  # of its models, where these have several and none is usual
    as_text: bool = True  # locations are written into its text; else they stay numbers
    can_embed_images: bool = False
    takes_clips: bool = False
    is_folder: bool = False  # it writes a folder
    trainer: tuple[str, ...] = ()  # its command, up to the name of the file, with MODEL in it
    keys: frozenset[str] = frozenset()  # of its records, where they are JSON
