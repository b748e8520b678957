"""Pictures that a command has left out, named for a person."""

from __future__ import annotations

import sys
from collections.abc import Collection

from locvlm.shown.terminal import say

LISTED = 20  # in the terminal


def print_skipped(reasons: Collection[str], *, all_in: str = "") -> None:
    """Name the first of them on standard error.

    Args:
        reasons: name and reason of each.
        all_in: where all of them are listed, if anywhere.
    """
    for reason in list(reasons)[:LISTED]:
        say(f"skipped: {reason}", file=sys.stderr)
    if (more := len(reasons) - LISTED) > 0:
        where = f"; all are in {all_in}" if all_in else ""
        say(f"skipped: {more} more{where}", file=sys.stderr)
