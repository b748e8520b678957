"""Clips that cannot be read: found before a run begins, named, counted, and left out of it.

What cannot be shown later on, images as well, is passed over (`skipped_images`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from locvlm.errors import InputError
from locvlm.io.atomic import ensure_dir
from locvlm.io.json_rows import write_json
from locvlm.media.clips import check_clip, is_clip_file
from locvlm.progress import count_progress
from locvlm.shown.terminal import say
from locvlm.training.data.dataset import TrainingData

UNREADABLE = "unreadable_clips.json"  # in `out`: path -> why
THREADS = 4  # that look at clips


def find_unreadable_clips(data: TrainingData) -> dict[str, str]:
    """The clips of which no frame can be decoded, by path, each with the reason."""
    clips = [path for path in data.sizes if path.is_file() and is_clip_file(path)]

    def reason(path: Path) -> str:
        try:
            check_clip(path)
        except InputError as error:
            return str(error)
        return ""

    found = {}
    with (
        ThreadPoolExecutor(THREADS) as pool,
        count_progress(len(clips), "Looking at clips") as advance,
    ):
        for path, why in zip(clips, pool.map(reason, clips), strict=True):
            advance(1)
            if why:
                found[str(path)] = why
    return found


def leave_out(data: TrainingData, reasons: Mapping[str, str]) -> TrainingData:
    """The data without these clips.

    Raises InputError where nothing is left.
    """
    if not reasons:
        return data
    kept = [row for row, item in enumerate(data.conversations) if item.image not in reasons]
    if not kept:
        first = next(iter(reasons.values()))
        raise InputError(f"{first}; nothing that can be read is left to learn from")
    return replace(
        data,
        conversations=[data.conversations[row] for row in kept],
        origins=[data.origins[row] for row in kept] if data.origins else [],
        annotated=[row for row in data.annotated if str(row[0]) not in reasons],
    )


def report_unreadable(reasons: Mapping[str, str], out: Path) -> None:
    """Name each one on standard error, and all in the folder of the run."""
    for reason in reasons.values():
        say(f"skipped: {reason}", file=sys.stderr)
    if reasons:
        say(f"clips left out, see {out / UNREADABLE}: {len(reasons)}", file=sys.stderr)
        write_json(ensure_dir(out) / UNREADABLE, dict(reasons))
