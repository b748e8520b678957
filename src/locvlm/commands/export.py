"""`locvlm export`: a data set for other trainers."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import arg

from locvlm.annotations.effects import tell_effect
from locvlm.commands.arguments import DataImages, Format, FormatSettings, Number, get_format_or_none
from locvlm.commands.next_step import format_command, print_next
from locvlm.commands.skipped import print_skipped
from locvlm.errors import InputError
from locvlm.shown.terminal import say, say_json

if TYPE_CHECKING:
    from locvlm.interchange.export.base import ExportTarget
    from locvlm.interchange.export.run import ExportReport


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
    json: bool = False,
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
        json: print what was written and left out as one JSON object.
    """
    from locvlm.interchange.export import get
    from locvlm.interchange.export.base import ExportOptions
    from locvlm.interchange.export.run import export as run
    from locvlm.models.folders import format_for

    if (own := get(to).dialects) and format is None and model is None:
        raise InputError(
            f"--to {to}: its models write places in several ways; give --model, or --format "
            f"{' or '.join(own)}"
        )
    coordinates = get_format_or_none(format, set)
    if format is not None and model is not None and not set:
        coordinates = format_for(model, format)
    options = ExportOptions(
        coordinates=coordinates,
        model=model,
        images=images,
        split=split,
        with_images=with_images,
        shard_size=shard_size,
    )
    report = run(data, to, out, options)
    if json:
        say_json(_as_json(report, to, out))
        return
    settings = ",".join(f"{key}={value}" for key, value in report.coordinates.options.items())
    how = f"in {report.coordinates.name} {settings}" if report.as_text else "as numbers"
    how = how.rstrip() + (_explain_format(to, model) if report.as_text and format is None else "")
    say(f"{report.images} pictures, {report.questions} questions; locations {how}")
    for reason, count in report.drops.items():
        say(f"{tell_effect(reason)}, {reason}: {count}")
    for line in report.unseen:
        say(line, file=sys.stderr)
    print_skipped(report.unusable.values())
    say(out)
    print_next(_name_next(get(to), data, images, out, model))


def _explain_format(to: str, model: str | None) -> str:
    """Why locations are written so, where nobody said how."""
    if model is not None:
        return f" (as {model} is asked; --format NAME for another)"
    return f" (the default: {to} does not say for which model; --model or --format NAME for others)"


def _as_json(report: ExportReport, to: str, out: Path) -> dict[str, Any]:
    coordinates = report.coordinates
    return {
        "out": str(out),
        "to": to,
        "coordinates": {"format": coordinates.name, "options": coordinates.options},
        "as_text": report.as_text,
        "images": report.images,
        "questions": report.questions,
        "drops": report.drops,
        "unusable": report.unusable,
        "unseen": report.unseen,
    }


def _name_next(
    target: ExportTarget, data: Path, images: Path | None, out: Path, model: str | None
) -> str:
    """The trainer at work where one line does that; else, what there is to look at."""
    if target.trainer:
        words = [model or "MODEL" if word == "MODEL" else word for word in target.trainer]
        return shlex.join([*words, str(out)])
    moved = ["--images", images] if images else []
    return format_command("inspect", data, *moved, "--model", model or "tiny", "--out", "looks")
