"""`locvlm demo`: `locvlm tune` on the photos that come with the package."""

from __future__ import annotations

from pathlib import Path

from locvlm.commands.arguments import Folder, OptionalMinutes
from locvlm.commands.next_step import format_command, print_next
from locvlm.commands.resuming import resumable


@resumable()
def demo(*, out: Folder = Path("demo"), minutes: OptionalMinutes = None) -> None:
    """Tune on shipped photos, as locvlm tune does on yours, and say whether it helped.

    It times this machine first, then trains and asks as much as fits into the minutes, and says
    what is left out. One that was stopped goes on by the same command.

    Args:
        out: folder of everything it makes; its README.md says what is in it.
        minutes: that it may take, downloads aside (default: 10).
    """
    from locvlm.demo.run import demo as run

    run(out, minutes)
    print_next(format_command("tune", "ANNOTATIONS", "--images", "DIR", "--out", "runs/mine"))
