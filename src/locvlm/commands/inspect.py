"""`locvlm inspect`: instructions as a model sees them, or the words of a corpus."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from tyro.conf import arg

from locvlm.commands.arguments import (
    DataImages,
    Format,
    Model,
    Number,
    OptionalFolder,
    data_setting,
    get_format_or_none,
)
from locvlm.commands.next_step import format_command, print_next
from locvlm.errors import InputError
from locvlm.shown.terminal import say, say_json

if TYPE_CHECKING:
    from locvlm.inspection.words import Corpus


def inspect(
    data: Annotated[Path, arg(metavar="DATA")],
    /,
    *,
    out: OptionalFolder = None,
    model: Model = "tiny",
    images: DataImages = None,
    split: Annotated[str | None, arg(metavar="NAME")] = None,
    count: Number = 8,
    format: Format = None,
    seed: Number = 0,
    words: Annotated[list[str] | None, arg(metavar="[WORD …]")] = None,
    json: bool = False,
) -> None:
    """Draw samples as a model sees them: pixels, tokens, loss mask, decoded boxes.

    With --words instead: count the spatial words of any corpus of conversations, without a model.

    Args:
        data: folder of a data set that `locvlm build` wrote; with --words also a file of
            conversations, such as LLaVA's, JSON or JSON lines.
        out: folder of the drawings and of index.html.
        model: whose processor looks.
        split: such as val, or all: samples of its images, asked about as the data set was built;
            of what it asks about if not given.
        count: how many samples.
        format: how to write locations, such as ivb or qwen3-vl; the model's own way if not given.
        seed: of the choice of samples.
        words: count words, of all of the data and without a model; left, right, above, … if none
            are given.
        json: print what was found, or the counts of words, as JSON.
    """
    if words is not None:
        if out is not None:
            raise InputError("--words prints its counts and draws nothing; leave --out out")
        if images is not None:
            raise InputError("--words looks at no pictures; leave --images out")
        if split is not None:
            raise InputError("--words counts all of the data; leave --split out")
        from locvlm.inspection.words import WORDS, count_words

        _show(data, count_words(data, words or WORDS), json=json)
        return
    if out is None:
        raise InputError("give --out, the folder of the drawings, or --words")
    get_format_or_none(format)  # a typo is told before anything is loaded
    from locvlm.inspection.inspect import inspect as look
    from locvlm.models.folders import format_for

    coordinates = format_for(model, format) if format else None

    asked: dict[str, Any] = {"split": split, "count": count, "seed": seed}
    found = look(data, model, out, coordinates=coordinates, images=images, **asked)
    if json:
        row = {"data": str(data), **msgspec.to_builtins(found, enc_hook=str)}
        say_json(row)
        return
    say(
        f"{len(found.pictures)} samples, {found.locations} locations: decoded at most "
        f"{found.deviation:.2f} pixels off, {found.undecoded} questions undecoded"
    )
    for line in found.unseen:
        say(line, file=sys.stderr)
    for reason in found.skipped:
        say(f"skipped: {reason}", file=sys.stderr)
    say(found.index)
    print_next(format_command("train", "RECIPE.yaml", "--set", data_setting(data)))


def _show(data: Path, corpus: Corpus, *, json: bool) -> None:
    """The counts of words, as a table or as they are."""
    if json:
        shares = {word: {"share": corpus.share(word)} for word in corpus.words}
        counts = {w: msgspec.to_builtins(n) | shares[w] for w, n in corpus.words.items()}
        row = {"data": str(data), **msgspec.to_builtins(corpus), "words": counts}
        say_json(row)
        return
    from rich.table import Table

    from locvlm.shown.screen import Screen

    table = Table(
        title=f"{data.name}: {corpus.samples} samples, {corpus.questions} questions, "
        f"{corpus.answers} answers"
    )
    for column in ("word", "samples", "share", "questions", "answers", "occurrences"):
        table.add_column(column, justify="left" if column == "word" else "right")
    for word, n in corpus.words.items():
        numbers = map(str, (n.questions, n.answers, n.occurrences))
        table.add_row(word, str(n.samples), f"{100 * corpus.share(word):.2f} %", *numbers)
    Screen().print(table)
    for reason, number in corpus.left_out.items():
        say(f"left out, {reason}: {number}")
