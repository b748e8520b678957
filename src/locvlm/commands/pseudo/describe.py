"""`locvlm pseudo describe`: a model's own words for the objects of a detection data set."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from tyro.conf import arg

from locvlm.annotations import ReaderName, guess
from locvlm.commands.arguments import File, Folder, Model, Number, OptionalNumber
from locvlm.errors import InputError


def describe(
    *,
    annotations: File,
    images: Folder,
    out: File,
    model: Model = "tiny",
    from_: Annotated[ReaderName | None, arg(name="from")] = None,
    split: Annotated[str | None, arg(metavar="NAME")] = None,
    prompt: Annotated[str | None, arg(metavar="TEXT")] = None,
    limit: OptionalNumber = None,
    workers: Number = 1,
    engine: Literal["local", "ray"] = "local",
) -> None:
    """Let a model describe every object that is the only one of its kind in its picture.

    Goes on where it was stopped.

    Args:
        annotations: detection file or folder; its boxes are pixels of the pictures.
        images: folder of the pictures.
        out: COCO file to write, with a description per object, for `locvlm build`.
        model: who describes: a shipped model, a folder or a hub id.
        from_: form of the annotations; told from the file if not given.
        split: train, val, test … where the form has splits, or all.
        prompt: what is asked, with {category} in it; the paper's if not given.
        limit: pictures, the first ones; all if not given.
        workers: processes that describe at the same time, each with a model of its own.
        engine: ray: on the machines of a Ray cluster, or in Ray's processes here.
    """
    from dataclasses import replace

    from locvlm import annotations as readers
    from locvlm.pseudo.describe import PROMPT
    from locvlm.pseudo.describe import describe as run

    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1 picture, not {limit}")
    reader = from_ or guess(annotations)[0]
    options = {} if split is None else {"split": split}
    data = readers.read(reader, annotations, images=images, **options)
    if limit is not None:
        data = replace(data, images=data.images[:limit])
    found = run(
        data,
        images,
        out,
        model=model,
        prompt=PROMPT if prompt is None else prompt,
        workers=workers,
        engine=engine,
    )
    for reason in found.skipped.values():
        print(f"skipped: {reason}", file=sys.stderr)
    for reason, count in data.drops.items():
        print(f"not read, {reason}: {count}")
    print(f"{found.pictures} pictures; objects asked about: {found.asked}, described: {found.kept}")
    for reason, count in found.drops.items():
        print(f"left out, {reason}: {count}")
        for example in found.examples[reason]:
            print(f"    {example}")
    print(out)
