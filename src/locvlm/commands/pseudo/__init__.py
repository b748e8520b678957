"""Make data that models learn from: descriptions, boxes, clips."""

from __future__ import annotations

from collections.abc import Callable

from locvlm.commands.pseudo.animate import animate
from locvlm.commands.pseudo.describe import describe
from locvlm.commands.pseudo.detect import detect
from locvlm.commands.pseudo.video import video

COMMANDS: dict[str, Callable[..., None]] = {
    "animate": animate,
    "describe": describe,
    "detect": detect,
    "video": video,
}
