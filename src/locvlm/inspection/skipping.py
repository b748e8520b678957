"""Pictures that cannot be shown to a model: left out of an inspection, and named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError, UnusableImageError
from locvlm.instructions.base import Conversation
from locvlm.io.confined_paths import relative_inside


def leave_out_unusable(
    conversations: Sequence[Conversation],
    images: Path,
    processor: Any,
    coordinates: CoordinateFormat,
) -> tuple[list[Conversation], tuple[str, ...]]:
    """Those whose pictures a model with this processor can be shown, and why others cannot.

    Raises:
        InputError: none can; their folder may be another.
    """
    from locvlm.models.chat_tokens import ChatTokens
    from locvlm.models.video_llava.processor import frames_of
    from locvlm.training.data.skipped_images import open_usable

    chat, usable, skipped = ChatTokens(processor), [], []
    for conversation in conversations:
        path, size = images / conversation.image, (conversation.width, conversation.height)
        if relative_inside(images, conversation.image) is None:
            skipped.append(f"{path}: leads out of {images}")
            continue
        try:
            chat.prefix(open_usable(path, frames_of(processor), size))
            coordinates.frame_on(processor, size)
        except UnusableImageError as error:
            skipped.append(str(error) if str(path) in str(error) else f"{path}: {error}")
        else:
            usable.append(conversation)
    if not usable:
        more = f"; nor can {len(skipped) - 1} others" if len(skipped) > 1 else ""
        raise InputError(f"{skipped[0]}{more}; if they are elsewhere, give --images DIR")
    return usable, tuple(skipped)
