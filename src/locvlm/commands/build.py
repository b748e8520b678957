"""`locvlm build`: detection files become an instruction data set."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from tyro.conf import arg

from locvlm.annotations import detect_format
from locvlm.annotations.effects import tell_effect
from locvlm.commands.arguments import (
    Boxes,
    EngineName,
    File,
    Folder,
    Number,
    OptionalFile,
    OptionalFolder,
    OptionalNumber,
    Reader,
)
from locvlm.commands.asked_table import print_asked
from locvlm.commands.blurred import print_faces
from locvlm.commands.next_step import format_command, print_next
from locvlm.commands.resuming import resumable
from locvlm.commands.skipped import print_skipped
from locvlm.shown.terminal import say, say_json

if TYPE_CHECKING:
    from locvlm.instructions.dataset import Manifest


@resumable("blur_faces")
def build(
    *,
    annotations: File,
    out: Folder,
    images: OptionalFolder = None,
    no_images: bool = False,
    from_: Reader = None,
    objectives: Annotated[str, arg(metavar="A,B,C")] = "locpred,negpred,revloc",
    location: Literal["box", "point", "both"] = "box",
    split: Annotated[str | None, arg(metavar="NAME")] = None,
    captions: OptionalFile = None,
    classes: OptionalFile = None,
    image_labels: OptionalFile = None,
    boxes: Boxes = None,
    names: OptionalFile = None,
    negatives: Literal["random", "popular", "adversarial"] = "random",
    spatial: Annotated[str, arg(metavar="A,B")] = "left-right,above-below",
    unboxed: bool = False,
    described_only: bool = False,
    min_area: Annotated[float, arg(metavar="SHARE")] = 0.0,
    max_area: Annotated[float, arg(metavar="SHARE")] = 1.0,
    edge: Annotated[float | None, arg(metavar="PIXELS")] = None,
    absences: Annotated[str | None, arg(metavar="N|N-M")] = None,
    per_category: OptionalNumber = None,
    templates: OptionalFile = None,
    mix: OptionalFile = None,
    mix_ratio: Annotated[float | None, arg(metavar="SHARE")] = None,
    check: Literal["headers", "pixels"] | None = None,
    blur_faces: bool = False,
    hold_out: Annotated[float | None, arg(metavar="SHARE")] = None,
    group_by: Annotated[str | None, arg(metavar="PATTERN")] = None,
    leaky: Literal["keep", "drop", "skip"] = "keep",
    seed: Number = 0,
    workers: Number = 1,
    engine: EngineName = "local",
    json: bool = False,
) -> None:
    """Turn detection boxes into location instructions (Parquet and a manifest).

    Args:
        annotations: detection file or folder; its boxes are pixels of the pictures.
        out: folder of the data set.
        images: folder of the pictures; known where the annotations are a built data set.
        no_images: do not look for the pictures' files, which then need not be here.
        objectives: what to ask, with commas between.
        location: how to say where.
        split: train, val, test … where there are splits, or all; train if not given. The pictures
            of the others are kept beside, and nothing is asked about them.
        captions: COCO captions of the same pictures, for the objective caption.
        classes: Open Images' file of class names; the one beside the boxes if not given.
        image_labels: Open Images' file of image labels, which say what is absent; likewise.
        boxes: how the file writes boxes, where it is not what its form says: x, y, width, height;
            corners, x or y first; center and size; or shares (0 to 1) of width and height, in the
            order that the form has or in another.
        names: file of the words to ask with in place of the categories' names, one a line, such as
            "def_01: scratch on metal"; synonyms behind |. By id, too; YAML, JSON, CSV or text.
        negatives: which absent categories negpred and presence ask about: any; those that most
            pictures have; or those most often seen with what is in the picture.
        spatial: what the objective spatial asks about, with commas between: left-right,
            above-below, edge (which of two is nearer to one), count.
        absences: how many absent categories negpred asks about in a picture; a range for as many as
            locpred asks, within it. If not given 4-8, or from fewer where absences would outnumber
            what is there.
        unboxed: ask about absent categories that have no box in the whole set, too.
        described_only: ask locpred and revloc about objects with a description alone, as of
            locvlm pseudo describe, and never by category; other objectives stay.
        min_area: ask nothing about boxes below this share (0 to 1) of the picture's area.
        max_area: ask nothing about boxes above this share (0 to 1) of the picture's area.
        edge: ask nothing about boxes that come within so many pixels of the picture's border.
        per_category: at most so many questions per category and objective, spread over the set.
        templates: YAML file of prompts and answers in place of the built-in ones.
        mix: other instruction data in LLaVA's form (JSON or JSON lines); pictures relative to
            --images.
        mix_ratio: share (0 to 1) of all conversations that comes from --mix; 0.3 if not given.
        check: look at all pictures first, at their headers (fast) or at all pixels; those that
            cannot be read or have another size are left out, counted and listed.
        blur_faces: blur human faces, in copies of the pictures and, frame by frame, of the clips
            that go to OUT/images; no finder finds all, so look at them. A build that was stopped
            goes on with what is left.
        hold_out: share (0 to 1) of the pictures that goes to the split val, where there are no
            splits: nothing is asked about them, and training validates on them. Copies, frames of
            one recording and pictures that look nearly alike stay on one side.
        group_by: regular expression; its first group, or all that it matches in a picture's file
            name, is the recording that the picture is a frame of. Guessed if not given.
        leaky: pictures of val or test that are equal or nearly equal to one of train, or of the
            same recording: keep them and say so, drop them, or skip the check.
        seed: of the choice of templates, absent objects and pictures that are held out.
        workers: processes that build at the same time; the result is the same.
        json: print the manifest as JSON, with the folder as data, instead of the table.
    """
    from locvlm.instructions.absence_range import parse_absences
    from locvlm.instructions.build import QuestionOptions
    from locvlm.instructions.build_files import BuildOptions, build_from_files
    from locvlm.instructions.dividing import Division
    from locvlm.instructions.filters import ObjectLimits

    reader, reason = (from_, "") if from_ else detect_format(annotations)
    questions = QuestionOptions(
        objectives=_names(objectives),
        location=location,
        seed=seed,
        negatives=negatives,
        spatial=_names(spatial),
        limits=ObjectLimits(min_area, max_area, edge),
        absences=None if absences is None else parse_absences(absences),
        per_category=per_category,
        unboxed=unboxed,
        described_only=described_only,
    )
    options = BuildOptions(
        questions=questions,
        reader=reader,
        captions=captions,
        split=split,
        classes=classes,
        image_labels=image_labels,
        boxes=boxes,
        find_images=not no_images,
        names=names,
        templates=templates,
        mix=mix,
        mix_ratio=mix_ratio,
        check=check,
        blur_faces=blur_faces,
        division=Division(hold_out=hold_out, group_by=group_by, leaky=leaky),
        engine=engine,
        workers=workers,
    )
    manifest = build_from_files(annotations, images, out, options)
    if json:
        _print_json(manifest, out)
        return
    _print_result(manifest, reader, reason)
    print_held_out(manifest)
    say(out)
    print_next(format_command("inspect", out, "--model", "tiny", "--out", "looks"))


def _print_json(manifest: Manifest, out: Path) -> None:
    """Everything that was printed otherwise is in the manifest."""
    row = {"data": str(out), **msgspec.to_builtins(manifest)}
    say_json(row)


def _print_result(manifest: Manifest, reader: str, reason: str) -> None:
    """What was built, and what was left out; `reason` says why `reader` was taken."""
    if reason:
        say(f"read as --from {reader}: {reason}", file=sys.stderr)
    if manifest.splits:
        if manifest.hold_out is None:
            known = ", ".join(manifest.splits)
            say(f"read --split {manifest.options['split']}; there are: {known}", file=sys.stderr)
        print_splits(manifest)
    total, named = sum(manifest.counts.values()), len(manifest.categories)
    say(f"{manifest.pictures:,} pictures, {total:,} questions; {named:,} categories are known")
    print_asked(manifest)
    print_faces(manifest)
    for reason, count in manifest.drops.items():
        example = f" (the first: {first})" if (first := manifest.examples.get(reason)) else ""
        say(f"{tell_effect(reason)}, {reason}: {count}{example}")
    for remark in manifest.remarks:
        say(remark, file=sys.stderr)
    print_skipped(manifest.unusable_images.values(), all_in="the manifest, unusable_images")


def print_splits(manifest: Manifest) -> None:
    """How many images each split has, and what was left out of those beside the one asked about."""
    from locvlm.annotations.splits import ALL

    if len(manifest.split_images) > 1:
        counts = ", ".join(f"{name} {count}" for name, count in manifest.split_images.items())
        about = "" if manifest.split == ALL else f"; questions are about {manifest.split} alone"
        say(f"pictures by split: {counts}{about}", file=sys.stderr)
    for name, drops in manifest.split_drops.items():
        for reason, count in drops.items():
            say(f"split {name}, {tell_effect(reason)}, {reason}: {count}", file=sys.stderr)


def print_held_out(manifest: Manifest) -> None:
    """Where nothing is: how to, for what is learned from proves nothing."""
    from locvlm.annotations.splits import TRAIN

    if len(manifest.split_images) > 1:
        return
    again = "" if set(manifest.splits) <= {TRAIN} else "--split all "
    say(
        f"no pictures are held out, to see what a training changes: {again}--hold-out 0.2 holds "
        "out a fifth",
        file=sys.stderr,
    )


def _names(words: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in words.split(","))
