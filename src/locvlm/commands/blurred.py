"""What `build` and `import` say about blurred faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locvlm.shown.terminal import say

if TYPE_CHECKING:
    from locvlm.instructions.dataset import Manifest


def print_faces(manifest: Manifest) -> None:
    """How many faces were blurred, where they were looked for."""
    if manifest.faces_blurred is None:
        return
    say(f"faces blurred: {manifest.faces_blurred}, in {manifest.pictures_with_faces} pictures")
    if manifest.clip_faces_blurred is not None:
        say(
            f"faces blurred in {manifest.clips_with_faces} clips, counted in each frame: "
            f"{manifest.clip_faces_blurred}"
        )
