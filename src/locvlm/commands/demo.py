"""`locvlm demo`: the main job on the photos that come with the package."""

from __future__ import annotations

from pathlib import Path

from locvlm.commands.arguments import Folder


def demo(*, out: Folder = Path("demo")) -> None:
    """Build, tune and evaluate on shipped photos, and write a report; about ten minutes.

    Args:
        out: folder of everything it makes; report.html is what to look at.
    """
    from locvlm.demo.run import demo as run

    run(out)
