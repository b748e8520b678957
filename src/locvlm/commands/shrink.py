"""`locvlm shrink`: an adapter with low-rank updates of a smaller rank."""

from __future__ import annotations

from typing import Annotated

from tyro.conf import arg

from locvlm.commands.arguments import Folder
from locvlm.commands.next_step import format_command, print_next
from locvlm.shown.terminal import say


def shrink(model: Annotated[str, arg(metavar="NAME|DIR")], /, *, out: Folder, rank: int) -> None:
    """Cut the low-rank updates of an adapter to a smaller rank: a smaller file.

    Args:
        model: a shipped adapter, or the folder of one.
        out: folder to write, there complete or not at all.
        rank: of the new updates; each keeps its largest singular values.
    """
    from locvlm.publishing.shrink import shrink as write

    cut = write(model, out, rank)
    say(
        f"rank {cut.old_rank} to {rank}, {cut.old_bytes / 1e6:.1f} to {cut.new_bytes / 1e6:.1f} "
        f"MB; of the updates' squared norm {cut.lost:.1%} is lost, most ({cut.most:.1%}) in "
        f"{cut.layer.removeprefix('base_model.model.')}"
    )
    say(out)
    print_next(format_command("locate", "PHOTO.jpg", "WHAT", "--model", out))
