"""The table that `build` ends with: what each objective asked, and what it left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locvlm.shown.terminal import say

if TYPE_CHECKING:
    from locvlm.instructions.dataset import Manifest

COLUMNS = ("objective", "questions", "present", "absent", "pictures", "categories")


def print_asked(manifest: Manifest) -> None:
    """Questions about what is there and what is not, by objective; then what is not asked about.

    Objectives of other conversations, which are mixed in, have their questions alone.
    """
    from rich.table import Table

    from locvlm.shown.screen import Screen

    table = Table()
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == COLUMNS[0] else "right")
    for name, questions in manifest.counts.items():
        asked = manifest.asked.get(name)
        if asked is None:
            table.add_row(name, f"{questions:,}", *"–––", "–")
            continue
        sides = (asked.present, asked.absent)
        figures = [f"{side:,}" if any(sides) else "–" for side in sides]
        table.add_row(
            name, f"{questions:,}", *figures, f"{asked.images:,}", _figure(asked.categories)
        )
    Screen().print(table)
    if asked := manifest.asked.get("negpred"):
        least, most = manifest.absences
        number = f"{least}" if least == most else f"{least} to {most}"
        say(f"negpred asks about {number} absent categories of a picture (--absences)")
    for name, asked in manifest.asked.items():
        for left_out in asked.left_out:
            say(f"{name} leaves out {left_out}")
    if "multiple" not in manifest.asked and _has_several(manifest):
        names = ",".join([*manifest.asked, "multiple"])
        say(f"--objectives {names} also asks where all of several are")


def _has_several(manifest: Manifest) -> bool:
    """Whether `locpred` leaves out most of its objects for that."""
    from locvlm.instructions.objectives.remainder import SEVERAL

    asked = manifest.asked.get("locpred")
    shares = asked.left_out if asked else ()
    return any(each.why == SEVERAL.why and each.count * 2 > each.of for each in shares)


def _figure(number: int) -> str:
    """Nothing is asked about no category."""
    return f"{number:,}" if number else "–"
