"""`locvlm export`: a data set for other trainers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from locvlm.commands.arguments import DataImages, Format, FormatSettings, Number, get_format_or_none
from locvlm.commands.skipped import print_skipped
from locvlm.errors import InputError


def export(
    data: Annotated[Path, arg(metavar="DATA")],
    /,
    *,
    to: Literal["trl", "llava", "swift", "qwen", "webdataset", "parquet"],
    out: Annotated[Path, arg(metavar="FILE")],
    images: DataImages = None,
    format: Format = None,
    set: FormatSettings = [],  # noqa: B006
    model: Annotated[str | None, arg(metavar="NAME|DIR")] = None,
    split: Annotated[str | None, arg(metavar="NAME")] = None,
    with_images: bool = False,
    shard_size: Number = 500,
) -> None:
    """Write a data set for another trainer, with its coordinates as text.

    swift and parquet keep locations as numbers, in pixels of the original picture.

    Args:
        data: folder of a data set that `locvlm build` or `locvlm import` wrote.
        to: the trainer: TRL, LLaVA, ms-swift, Qwen; or WebDataset, or Parquet for datasets.
        out: file to write; for webdataset a new folder.
        format: how to write locations, such as ivb; the model's own way, or ivb, if not given. Of
            qwen, whose models have several ways, this or --model must be given.
        model: write locations in the frame that this model's processor gives; if not given, in
            that of the format's own models.
        split: such as val, or all: questions about its images, drawn as the data set was built;
            what it asks about if not given.
        with_images: put the pictures into the file (Parquet; for trl and parquet).
        shard_size: of a WebDataset file, megabytes.
    """
    from locvlm.interchange.export import get
    from locvlm.interchange.export.base import ExportOptions
    from locvlm.interchange.export.run import export as run

    if (own := get(to).dialects) and format is None and model is None:
        raise InputError(
            f"--to {to}: its models write places in several ways; give --model, or --format "
            f"{' or '.join(own)}"
        )
    options = ExportOptions(
        coordinates=get_format_or_none(format, set),
        model=model,
        images=images,
        split=split,
        with_images=with_images,
        shard_size=shard_size,
    )
    report = run(data, to, out, options)
    settings = ",".join(f"{key}={value}" for key, value in report.coordinates.options.items())
    how = f"in {report.coordinates.name} {settings}" if report.as_text else "as numbers"
    print(f"{report.images} pictures, {report.questions} questions; locations {how}".rstrip())
    for reason, count in report.drops.items():
        print(f"left out or changed, {reason}: {count}")
    for line in report.unseen:
        print(line, file=sys.stderr)
    print_skipped(report.unusable.values())
    print(out)
