"""The data of a tuning: built, with photos held out that are never learned from."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from locvlm.annotations import detect_format
from locvlm.annotations.effects import tell_effect
from locvlm.errors import InputError
from locvlm.instructions.build import QuestionOptions
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.dataset import (
    MANIFEST,
    Manifest,
    find_images_folder,
    read_manifest,
)
from locvlm.instructions.dividing import Division
from locvlm.shown.terminal import say
from locvlm.tuning import folders
from locvlm.tuning.command_lines import format_line, print_line
from locvlm.tuning.options import HELD_OUT, TuneOptions

# Beside the paper's three: what keeps a model able to say yes, no and on which side
OBJECTIVES = ("locpred", "negpred", "revloc", "presence", "spatial")
ASKED = ("test", "val")  # splits to ask about, the first that there is: training looks at val


@dataclass(frozen=True)
class TuningData:
    """A built data set, and which part of it is asked about."""

    folder: Path
    images: Path  # folder of its pictures
    split: str  # that the questions come from
    manifest: Manifest


def prepare_data(options: TuneOptions, out: Path) -> TuningData:
    """The data set of a tuning, built unless it is there.

    Args:
        options: of the tuning.
        out: its folder.

    Raises:
        InputError: the annotations cannot be used, or nothing is held out and nothing can be.
    """
    given = Path(options.annotations)
    if (given / MANIFEST).is_file():
        if options.names:
            raise InputError(
                f"--names {options.names}: {given} is built already, with the words that it has; "
                "build it with --names, or tune on the annotations that it was built from"
            )
        return _open_built(given, options)
    folder = out / folders.DATA
    if not (folder / MANIFEST).is_file():
        _build(given, folder, options, options.hold_out)
        undivided = options.hold_out is None and not options.split
        if undivided and not _splits_to_ask(folder, options):
            _build(given, folder, options, HELD_OUT)
    return _open_built(folder, options)


def _build(given: Path, folder: Path, options: TuneOptions, share: float | None) -> None:
    """As `locvlm build`; `share` of the photos is held out, None: as the data have splits."""
    names = options.objectives or OBJECTIVES
    reader = options.reader or detect_format(given)[0]
    images = Path(options.images) if options.images else None
    flags: list[object] = ["--annotations", given]
    flags += ["--images", images] if images else []
    flags += ["--from", options.reader] if options.reader else []
    flags += ["--hold-out", f"{share:g}"] if share else []
    flags += ["--names", Path(options.names)] if options.names else []
    flags += ["--leaky", "drop"]
    flags += ["--seed", options.seed] if options.seed else []
    print_line(format_line("build", *flags, "--objectives", ",".join(names), "--out", folder))
    manifest = build_from_files(
        given,
        images,
        folder,
        BuildOptions(
            questions=QuestionOptions(objectives=names, seed=options.seed),
            reader=reader,
            names=Path(options.names) if options.names else None,
            # What looks like a photo that is learned from says little about other photos
            division=Division(hold_out=share, leaky="drop"),
        ),
    )
    _print_built(manifest)


def _print_built(manifest: Manifest) -> None:
    """What was made, and what was left out."""
    counts = ", ".join(f"{name} {count:,}" for name, count in manifest.counts.items())
    say(f"{manifest.pictures:,} photos to learn from; questions: {counts}")
    for split, images in manifest.split_images.items():
        if split != manifest.split:
            say(f"{images:,} photos in split {split}, not learned from")
    for split, drops in manifest.split_drops.items():
        for reason, count in drops.items():
            say(f"split {split}, {tell_effect(reason)}, {reason}: {count:,}")
    for reason, count in manifest.drops.items():
        example = f" (the first: {first})" if (first := manifest.examples.get(reason)) else ""
        say(f"{tell_effect(reason)}, {reason}: {count:,}{example}")
    for name, asked in manifest.asked.items():
        for left_out in asked.left_out:
            say(f"{name} leaves out {left_out}")
    for remark in manifest.remarks:
        say(remark, file=sys.stderr)


def _splits_to_ask(folder: Path, options: TuneOptions) -> list[str]:
    """The splits of a built data set that can be asked about."""
    there = _list_splits(folder)
    wanted = (options.split,) if options.split else ASKED
    return [name for name in wanted if name in there]


def _list_splits(folder: Path) -> list[str]:
    """All but the one that is learned from."""
    manifest = read_manifest(folder)
    return [split for split in manifest.split_images if split not in ("", manifest.split)]


def _open_built(folder: Path, options: TuneOptions) -> TuningData:
    splits = _splits_to_ask(folder, options)
    if not splits:
        wanted = f"split {options.split}" if options.split else "split val or test"
        raise InputError(
            f"{folder}: has no {wanted}, so there are no photos to ask about that are not learned "
            f"from; it has: {', '.join(_list_splits(folder)) or 'none'}; give another --split, or "
            "data without splits and --hold-out 0.2"
        )
    images = Path(options.images) if options.images else find_images_folder(folder)
    return TuningData(folder, images, splits[0], read_manifest(folder))
