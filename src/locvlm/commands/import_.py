"""`locvlm import`: another trainer's data set becomes ours."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import msgspec
from tyro.conf import arg

from locvlm.annotations.effects import tell_effect
from locvlm.commands.arguments import File, Folder, FormatSettings, Number, get_format
from locvlm.commands.blurred import print_faces
from locvlm.commands.next_step import format_command, print_next
from locvlm.commands.resuming import resumable
from locvlm.commands.skipped import print_skipped
from locvlm.shown.terminal import say, say_json


@resumable("blur_faces")
def import_(
    file: File,
    /,
    *,
    from_: Annotated[Literal["llava", "swift", "trl", "qwen", "video-chatgpt"], arg(name="from")],
    format: Annotated[str, arg(metavar="NAME")],
    set: FormatSettings = [],  # noqa: B006
    images: Folder,
    out: Folder,
    model: Annotated[str | None, arg(metavar="NAME|DIR")] = None,
    blur_faces: bool = False,
    workers: Number = 1,
    json: bool = False,
) -> None:
    """Turn a data set of text into ours: the coordinates in it become geometry.

    Locations are kept in pixels of the original picture, so that any format can write them and
    any model's frame. Each question with its answer stands alone afterwards.

    Args:
        file: JSON or JSON lines.
        from_: the trainer whose form it has.
        format: how its coordinates are written, such as nfp, ivb or qwen2.5-vl.
        images: folder of the pictures or clips.
        out: folder of the data set.
        model: the model that `locvlm export --model` wrote the file for: its locations are in
            the frame that this model's processor gives; if not given, in that of the format's own
            models.
        blur_faces: blur human faces, as `locvlm build` does; an import that was stopped goes on
            with what is left.
        workers: processes that blur at the same time.
        json: print the manifest as JSON, with the folder as data.
    """
    coordinate_format = get_format(format, set)
    from locvlm.interchange.importing.run import ONE_IMAGE, import_file

    manifest = import_file(
        *(file, from_, coordinate_format, images, out),
        model=model,
        blur_faces=blur_faces,
        workers=workers,
    )
    if json:
        row = {"data": str(out), **msgspec.to_builtins(manifest)}
        say_json(row)
        return
    say(f"{manifest.pictures} conversations, {sum(manifest.counts.values())} instructions")
    print_faces(manifest)
    for reason, count in manifest.drops.items():
        first = f" (the first: {one})" if (one := manifest.examples.get(reason)) else ""
        say(f"{tell_effect(reason)}, {reason}: {count}{first}")
    if "records with several pictures" in manifest.drops:
        say(f"of several pictures: {ONE_IMAGE}", file=sys.stderr)
    for remark in manifest.remarks:
        say(f"assumed: {remark}", file=sys.stderr)
    print_skipped(manifest.unusable_images.values(), all_in="the manifest, unusable_images")
    say(out)
    print_next(format_command("inspect", out, "--model", model or "tiny", "--out", "looks"))
