"""`locvlm merge`: a model as a folder for other tools."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from locvlm.commands.arguments import (
    Folder,
    OptionalFolder,
    Settings,
    SpokenFormat,
    parse_setting,
)
from locvlm.commands.next_step import format_command, print_next
from locvlm.errors import InputError
from locvlm.progress import show_status
from locvlm.shown.terminal import say

SIZE = re.compile(r"[1-9][0-9]*(KB|MB|GB)")


def merge(
    model: Annotated[str, arg(metavar="NAME|DIR")],
    /,
    *,
    out: Folder,
    format: SpokenFormat = None,
    dtype: Literal["bfloat16", "float16", "float32"] | None = None,
    max_shard_size: Annotated[str, arg(metavar="SIZE")] = "5GB",
    scores: Annotated[list[Path], arg(metavar="DIR …")] = [],  # noqa: B006
    run: OptionalFolder = None,
    card: Settings = [],  # noqa: B006
    overwrite: bool = False,
) -> None:
    """Merge an adapter into its base: a plain Hugging Face folder with a model card.

    Args:
        model: a shipped model, the folder of an adapter, or that of a whole model, which is
            written anew with its card.
        out: folder to write, there complete or not at all.
        dtype: of the written weights; if not given bfloat16, of a whole model its own.
        max_shard_size: of one file of weights, such as 5GB or 500MB.
        scores: folders of locvlm eval about this model, for the card.
        run: folder of the training run, for the card; the one around the adapter if not given.
        card: what only you know, such as license=mit, base_model=org/name, language=en or
            datasets=[org/name]; may be repeated.
        overwrite: replace the model that the folder holds.
    """
    if not SIZE.fullmatch(max_shard_size):
        raise InputError(f"--max-shard-size {max_shard_size}: no size; give one such as 5GB")
    with show_status(f"Merging {model}"):
        from locvlm.models.folders import format_for
        from locvlm.publishing.merge import merge as write

        card_text = write(
            model,
            out,
            speech=format_for(model, format) if format else None,
            dtype=dtype,
            max_shard_size=max_shard_size,
            scores=scores,
            run=run,
            known=dict(map(parse_setting, card)),
            overwrite=overwrite,
        )
    if card_text.unknown:
        say(f"not known, so the card says so: {', '.join(card_text.unknown)}; --card tells it")
    say(out)
    print_next(format_command("locate", "PHOTO.jpg", "WHAT", "--model", out))
