"""`locvlm convert`: coordinates in a text data set, from one format to another."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from locvlm.commands.arguments import OptionalFolder, Settings, get_format
from locvlm.commands.next_step import format_command, print_next
from locvlm.errors import InputError
from locvlm.shown.terminal import say, say_json

if TYPE_CHECKING:
    from locvlm.interchange.convert import ConversionReport


def convert(
    in_: Annotated[Path, arg(metavar="IN")],
    out: Annotated[Path, arg(metavar="OUT")],
    /,
    *,
    from_: Annotated[str, arg(name="from", metavar="FORMAT")],
    to: Annotated[str, arg(metavar="FORMAT")],
    from_set: Settings = [],  # noqa: B006
    to_set: Settings = [],  # noqa: B006
    images: OptionalFolder = None,
    size_columns: Annotated[str | None, arg(metavar="WIDTH,HEIGHT")] = None,
    only: Literal["box", "point"] | None = None,
    json: bool = False,
) -> None:
    """Rewrite the coordinates in a data set of text (LLaVA, Qwen, ms-swift, TRL).

    All else stays byte for byte. Two or four numbers in the form of a location are taken for one,
    also where a text has them for another reason; --only box leaves pairs alone. The sizes of the
    pictures, in pixels, come from the columns width and height, or else from the picture files'
    headers. Either format is in the frame of its own models: a file that was made for a model by
    `locvlm export --model` goes through `locvlm import --model` instead.

    Args:
        in_: JSON or JSON-lines file; - reads lines from standard input.
        out: the same with other coordinates; - is standard output, which gets line by line.
        from_: coordinate format in the file, such as nfp, ivb or qwen2.5-vl.
        to: coordinate format to write.
        from_set: options of the format in the file, such as bins=336.
        to_set: options of the format to write.
        images: folder that the names of the pictures are relative to; that of IN if not given.
        size_columns: names of the columns that hold the pictures' width and height in pixels.
        only: convert boxes alone, or points alone; both if not given.
        json: print what was counted as one JSON object.
    """
    read, write = get_format(from_, from_set), get_format(to, to_set)
    if json and str(out) == "-":
        raise InputError("--json prints to standard output, where the data go; give OUT a name")
    from locvlm.interchange.convert import convert as run

    columns = _pair(size_columns)
    report = run(in_, out, read=read, write=write, images=images, size_columns=columns, only=only)
    if json:
        counts = {name: n for name, n in asdict(report).items() if isinstance(n, int)}
        say_json(counts)
    for line in _summary(report, from_, to):
        say(line, file=sys.stderr)
    if not json and str(out) != "-":
        print_next(format_command("inspect", out, "--words"))


def _summary(report: ConversionReport, read: str, write: str) -> list[str]:
    left = {
        f"groups of numbers that are no {read} location": report.unparsed,
        f"locations that {write} cannot write": report.unwritable,
        "locations of the other kind": report.unwanted,
        "records whose locations are numbers in objects, in original pixels": report.placeholders,
        "records with locations whose picture's size is not known": report.without_size,
        "records with locations whose picture cannot be read": report.unreadable,
    }
    return [
        f"{report.records} records: {report.rewritten} locations rewritten, "
        f"{report.clipped} clipped",
        *(f"left as they were, {what}: {count}" for what, count in left.items() if count),
        *(
            [f"the first of these groups: {report.unread!r} ({report.unread_at})"]
            * bool(report.unread)
        ),
        *([f"assumed: {report.assumed}"] * bool(report.assumed)),
        *([f"the first without a size: {report.sizeless}"] * bool(report.without_size)),
        *([f"the first of these pictures: {report.unreadable_image}"] * bool(report.unreadable)),
    ]


def _pair(names: str | None) -> tuple[str, str] | None:
    if names is None:
        return None
    pair = tuple(name.strip() for name in names.split(","))
    if len(pair) != 2 or not all(pair):
        raise InputError(f"--size-columns {names}: give two names, width,height")
    return pair[0], pair[1]
