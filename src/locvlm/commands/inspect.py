"""`locvlm inspect`: instructions as a model sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from locvlm.commands.arguments import Folder, Format, Model, Number, format_of


def inspect(
    data: Annotated[Path, arg(metavar="DATA")],
    /,
    *,
    out: Folder,
    model: Model = "tiny",
    count: Number = 8,
    format: Format = None,
    seed: Number = 0,
) -> None:
    """Draw samples as a model sees them: pixels, tokens, loss mask, decoded boxes.

    Args:
        data: folder of a data set that `locvlm build` wrote.
        out: folder of the drawings and of index.html.
        model: whose processor looks.
        count: how many samples.
        format: how to write locations, such as ivb or qwen3-vl; the model's own way if not given.
        seed: of the choice of samples.
    """
    coordinates = format_of(format)
    from locvlm.instructions.inspect import inspect as look

    found = look(data, model, out, count=count, coordinates=coordinates, seed=seed)
    print(
        f"{len(found.pictures)} samples, {found.locations} locations: decoded at most "
        f"{found.deviation:.2f} pixels off, {found.undecoded} questions undecoded"
    )
    print(found.index)
