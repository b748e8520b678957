"""Let models make data that others learn from: descriptions of objects."""

from __future__ import annotations

from collections.abc import Callable

from locvlm.commands.pseudo.describe import describe

COMMANDS: dict[str, Callable[..., None]] = {"describe": describe}
