"""Conversations about the same picture or clip become one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from locvlm.instructions.base import Conversation


def gather_clips(
    conversations: Sequence[Conversation], clips: Mapping[str, str | None]
) -> list[Conversation]:
    """Those about one clip behind the first of them, for a clip takes long to decode."""
    files, first = set(clips.values()), dict[str, int]()

    def place_of(numbered: tuple[int, Conversation]) -> int:
        number, item = numbered
        return first.setdefault(item.image, number) if item.image in files else number

    return [item for _, item in sorted(enumerate(conversations), key=place_of)]


def merge_neighbours(conversations: Iterable[Conversation]) -> list[Conversation]:
    """Neighbours about the same picture become one."""
    merged = []
    for (image, width, height, source), group in groupby(
        conversations, lambda item: (item.image, item.width, item.height, item.source)
    ):
        items = tuple(item for conversation in group for item in conversation.instructions)
        merged.append(Conversation(image, width, height, items, source))
    return merged
