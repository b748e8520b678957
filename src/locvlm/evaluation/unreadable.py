"""Pictures and clips that cannot be shown to a model: found, named and left out, never the end.

Clips are looked at before the first question; what is broken further down is met when it is asked
about. The scores count both.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from locvlm.errors import InputError
from locvlm.evaluation.task import Question
from locvlm.media.clips import CUT, check_clip
from locvlm.media.containers import check_pyav
from locvlm.progress import count_progress
from locvlm.shown.terminal import say

LISTED = 20  # odd clips in the terminal
THREADS = 4  # that look at clips


def find_unreadable_clips(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The clips of which no frame can be decoded, each with the reason.

    Raises InputError where PyAV is missing.
    """
    check_pyav()
    names = list(dict.fromkeys(names))

    def reason(name: str) -> str:
        try:
            check_clip(folder / name)
        except InputError as error:
            return str(error)
        return ""

    with (
        ThreadPoolExecutor(THREADS) as pool,
        count_progress(len(names), "Looking at clips") as advance,
    ):
        found = {}
        for name, why in zip(names, pool.map(reason, names), strict=True):
            advance(1)
            if why:
                found[name] = why
    return found


def print_skipped(reasons: Mapping[str, str]) -> None:
    """Name each picture or clip that is left out, on standard error."""
    for reason in reasons.values():
        say(f"skipped: {reason}", file=sys.stderr)


def print_odd_clips(result: Mapping[str, Any]) -> None:
    """Name clips that were shown although something is wrong with them, on standard error.

    `result`: what ``scores.json`` holds, whose ``cut`` and ``notes`` they are.
    """
    cut, notes = result.get("cut", []), result.get("notes", {})
    odd = {name: [*([CUT] if name in cut else []), *notes.get(name, [])] for name in [*cut, *notes]}
    for name, words in list(odd.items())[:LISTED]:
        say(f"{name}: {'; '.join(words)}", file=sys.stderr)
    if len(odd) > LISTED:
        say(
            f"and {len(odd) - LISTED} other clips, see cut and notes in scores.json",
            file=sys.stderr,
        )


def check_any_answered(
    questions: Iterable[Question], done: Collection[str], reasons: Mapping[str, str]
) -> None:
    """Raises InputError where there is no answer, for nothing can be read."""
    if reasons and not any(question.id in done for question in questions):
        first = next(iter(reasons.values()))
        more = f"; so are {len(reasons) - 1} more" if len(reasons) > 1 else ""
        raise InputError(f"{first}{more}: nothing that can be asked about is left")
