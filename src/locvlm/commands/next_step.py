"""The line that a person would type next, as the last of a command.

It goes to standard error: what a program reads of a command stays as it is.
"""

from __future__ import annotations

import shlex
import sys

from locvlm.shown.terminal import say


def print_next(text: str) -> None:
    """Print ``next: TEXT`` for a person; a command with ``--json`` leaves it out.

    Args:
        text: what to type, as `format_command` gives it.
    """
    sys.stdout.flush()  # the line comes last where both are one terminal
    say(f"next: {text}", file=sys.stderr)


def format_command(*words: object) -> str:
    """``locvlm`` with these words, quoted as a shell needs it.

    Args:
        words: the command, its flags and their values: texts, numbers and paths, as they were given
            where they were given.
    """
    return shlex.join(["locvlm", *map(str, words)])
