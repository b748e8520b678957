"""`locvlm tune`: from photos and boxes to a tuned model, and a verdict on it."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from locvlm.commands.arguments import (
    Folder,
    Number,
    OptionalFile,
    OptionalFolder,
    OptionalMinutes,
    OptionalModel,
    OptionalName,
    Reader,
    RecipeSettings,
)
from locvlm.commands.next_step import format_command, print_next
from locvlm.commands.resuming import resumable


@resumable()
def tune(
    annotations: Annotated[Path, arg(metavar="ANNOTATIONS")],
    /,
    *,
    out: Folder,
    images: OptionalFolder = None,
    model: OptionalModel = None,
    minutes: OptionalMinutes = None,
    from_: Reader = None,
    split: OptionalName = None,
    hold_out: Annotated[float | None, arg(metavar="SHARE")] = None,
    objectives: Annotated[str | None, arg(metavar="A,B,C")] = None,
    recipe: OptionalFile = None,
    set: RecipeSettings = [],  # noqa: B006
    seeds: Annotated[int, arg(metavar="N")] = 1,
    seed: Number = 0,
    names: OptionalFile = None,
) -> None:
    """Tune a model on your photos, and say whether it helped; goes on where it was stopped.

    Builds questions, holds photos out, times this machine, asks the model, trains it, asks it
    again and compares: as much as fits into the minutes. It prints the single commands that it
    stands for. OUT/README.md says what is in the folder and what to do next.

    Args:
        annotations: detection file or folder, in any form that locvlm build reads, or a data set
            that it built; boxes are pixels of the photos.
        out: folder of everything it makes.
        images: folder of the photos; that of the data set where one was built.
        model: to start from, a shipped one or a folder; tiny if not given.
        minutes: that it may take, downloads aside; 60 if not given.
        split: that the questions come from, never learned from; val if not given, else test.
        hold_out: share (0 to 1) of the photos that is not learned from, but asked about; 0.2 where
            the data have no such split.
        objectives: what is learned, with commas between; all that help, if not given.
        recipe: of the training; one is made for the model if not given.
        seeds: trainings, each with another seed: how far apart are they?
        seed: of all that is drawn.
        names: file of the words to ask with in place of the categories' names (see `locvlm build`).
    """
    from locvlm.tuning.options import MINUTES, TuneOptions, absolute_text
    from locvlm.tuning.state import read_minutes
    from locvlm.tuning.tune import tune as run

    if minutes is None:
        minutes = read_minutes(out) or MINUTES
    asked = (name.strip() for name in objectives.split(",")) if objectives else ()
    options = TuneOptions(
        annotations=absolute_text(annotations),
        images=absolute_text(images),
        model=model or "",
        reader=from_ or "",
        split=split or "",
        hold_out=hold_out,
        recipe=absolute_text(recipe),
        settings=tuple(chain.from_iterable(set)),
        objectives=tuple(asked),
        seeds=seeds,
        seed=seed,
        minutes=minutes,
        names=absolute_text(names),
    )
    done = run(options, out)
    thing = done.category
    print_next(format_command("locate", "PHOTO.jpg", thing, "--model", done.model))
