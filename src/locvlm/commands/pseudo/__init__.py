"""Let models make data that others learn from: descriptions, boxes."""

from __future__ import annotations

from collections.abc import Callable

from locvlm.commands.pseudo.describe import describe
from locvlm.commands.pseudo.detect import detect
from locvlm.commands.pseudo.video import video

COMMANDS: dict[str, Callable[..., None]] = {
    "describe": describe,
    "detect": detect,
    "video": video,
}
