"""`locvlm pseudo describe`: a model's own words for the objects of a detection data set."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import msgspec
from tyro.conf import arg

from locvlm.annotations import detect_format
from locvlm.commands.arguments import (
    Boxes,
    EngineName,
    File,
    Model,
    OptionalFolder,
    OptionalNumber,
    OptionalUrl,
    Reader,
    SamplingSeed,
    Settings,
    Temperature,
    check_limit,
    parse_setting,
)
from locvlm.commands.next_step import format_command, print_next
from locvlm.commands.reading import print_left_out
from locvlm.commands.resuming import resumable
from locvlm.errors import InputError
from locvlm.shown.terminal import say, say_json

if TYPE_CHECKING:
    from locvlm.openai_client import Endpoint

AT_ONCE = 8  # requests to a server, if not told otherwise


@resumable()
def describe(
    *,
    annotations: File,
    images: OptionalFolder = None,
    out: File,
    model: Model = "tiny",
    server: OptionalUrl = None,
    server_setting: Settings = [],  # noqa: B006
    from_: Reader = None,
    split: Annotated[str | None, arg(metavar="NAME")] = None,
    boxes: Boxes = None,
    prompt: Annotated[str | None, arg(metavar="TEXT")] = None,
    keep_all: bool = False,
    temperature: Temperature = 0.0,
    seed: SamplingSeed = 0,
    limit: OptionalNumber = None,
    workers: OptionalNumber = None,
    engine: EngineName = "local",
    json: bool = False,
) -> None:
    """Let a model describe every object that is the only one of its kind in its picture.

    Goes on where it was stopped.

    Args:
        annotations: detection file or folder; its boxes are pixels of the pictures.
        images: folder of the pictures; known where the annotations are a data set of
            `locvlm build`.
        out: COCO file to write, with a description per object, for `locvlm build`.
        model: who describes: a shipped model, a folder or a hub id; its name there with --server.
        server: a server that speaks OpenAI's /chat/completions runs the model, such as vLLM's
            http://localhost:8000/v1; the key, if it wants one, is taken from OPENAI_API_KEY.
        server_setting: of each request, such as top_p=0.9; may be repeated.
        split: train, val, test … where there are splits, or all; train if not given.
        boxes: how the file writes boxes, where it is not what its form says (see `locvlm build`).
        prompt: what is asked, with {category} in it; the paper's if not given.
        keep_all: keep all descriptions as the model wrote them, also those that the boxes
            contradict, as the paper does; only what no text can hold is left out.
        limit: pictures, the first ones; all if not given.
        workers: processes that describe at the same time, each with a model of its own (1), or
            requests to the server at the same time (8).
        json: print what was described and left out as one JSON object.
    """
    from locvlm import annotations as readers
    from locvlm.inference.sampling import sampling_at
    from locvlm.instructions.dataset import find_default_images
    from locvlm.pseudo.describe import PROMPT
    from locvlm.pseudo.describe import describe as run

    check_limit(limit, "picture")
    sampling = sampling_at(temperature, seed)
    if server is None and server_setting:
        raise InputError("--server-setting: of which server? give --server URL too")
    if server is not None and engine != "local":
        raise InputError(f"--engine {engine}: with --server, the server does the work")
    if server is not None and sampling is not None:
        raise InputError(
            "--temperature: with --server, the server draws; give --server-setting temperature=…"
        )
    reader = from_ or detect_format(annotations)[0]
    given = {"split": split, "boxes": boxes}
    options = {name: value for name, value in given.items() if value is not None}
    images = images if images is not None else find_default_images(annotations)
    if images is None:
        raise InputError("give --images, the folder of the pictures")
    data = readers.read(reader, annotations, images=images, **options)
    if data.splits:
        known = ", ".join(data.splits)
        say(f"read --split {data.options['split']}; there are: {known}", file=sys.stderr)
    data = replace(data, images=data.images[:limit])
    found = run(
        data,
        images,
        out,
        model=model if server is None else _endpoint(server, model, server_setting),
        sampling=sampling,
        prompt=PROMPT if prompt is None else prompt,
        keep_all=keep_all,
        workers=workers if workers is not None else 1 if server is None else AT_ONCE,
        engine=engine,
    )
    if json:
        say_json({"out": str(out), **msgspec.to_builtins(found)})
        return
    for reason in found.skipped.values():
        say(f"skipped: {reason}", file=sys.stderr)
    print_left_out(data)
    say(f"{found.pictures} pictures; objects asked about: {found.asked}, described: {found.kept}")
    if found.cut:
        say(f"kept, though cut at the limit of tokens: {found.cut}")
    if found.coordinates:
        say(f"kept, though with coordinates in a frame that nobody knows: {found.coordinates}")
    for reason, count in found.drops.items():
        say(f"left out, {reason}: {count}")
        for example in found.examples.get(reason, ()):
            say(f"    {example}")
    say(out)
    media = ["--images", images]
    print_next(format_command("build", "--annotations", out, *media, "--out", f"data/{out.stem}"))


def _endpoint(url: str, model: str, settings: Sequence[str]) -> Endpoint:
    from locvlm.openai_client import Endpoint
    from locvlm.pseudo.describers import MAX_NEW_TOKENS

    request = {"temperature": 0, "max_tokens": MAX_NEW_TOKENS, **dict(map(parse_setting, settings))}
    return Endpoint(url, model, os.environ.get("OPENAI_API_KEY", "").strip(), request)
