"""`locvlm demo`: the main job on the photos that come with the package."""

from __future__ import annotations

from pathlib import Path

from locvlm.commands.arguments import Folder, OptionalMinutes
from locvlm.commands.resuming import resumable


@resumable()
def demo(*, out: Folder = Path("demo"), minutes: OptionalMinutes = None) -> None:
    """Build, tune and evaluate on shipped photos, and write a report.

    It times this machine first, then tunes and asks as much as fits into the minutes, and says what
    is left out. One that was stopped goes on by the same command.

    Args:
        out: folder of everything it makes; report.html is what to look at.
        minutes: that it may take, downloads aside (default: 10).
    """
    from locvlm.demo.run import demo as run

    run(out, minutes)
