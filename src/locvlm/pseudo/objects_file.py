"""What is in clips and what is not, as the task hal-act asks about it (arXiv 2404.07449).

    {"video": "a.mp4", "present": ["dog", "person"], "absent": ["bus", "cat"]}

Unlike the boxes, this needs no place: what moves, or is there twice, is present.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from locvlm.errors import InputError
from locvlm.io.json_rows import json_rows, write_rows
from locvlm.io.links import real_path
from locvlm.io.outputs import Reads, check_output_file
from locvlm.pseudo.detection_file import DetectionRow

ASKED = 2  # objects of each kind that hal-act draws of a clip


class ObjectsRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One clip. What is in neither list may be there or not."""

    video: str  # name of its file, relative to the folder
    present: list[str]  # categories that are surely seen in one of the watched frames
    absent: list[str]  # categories that are in none of them


class SeenInClip(DetectionRow, frozen=True):
    """What was seen in a clip, with all that is surely there."""

    present: tuple[int, ...] = ()  # places in the categories


class ObjectsSummary(msgspec.Struct, frozen=True):
    """What the file holds."""

    present: int = 0  # of all clips
    absent: int = 0
    unsure: int = 0  # in neither list
    asked: int = 0  # clips with two of each kind, which hal-act asks about


def check_objects_output(path: Path, other: Path, reads: Reads) -> None:
    """Raise InputError unless `path` is new, or holds rows of objects, which are replaced.

    Args:
        path: of the file that is to be written.
        other: file that it must not be.
        reads: what is read.
    """
    if real_path(path) == real_path(other):
        raise InputError(f"--objects {path}: is another file of this run; name a file of its own")
    check_output_file(path, reads, is_former=_holds_objects, flag="--objects", form="objects")


def _holds_objects(path: Path) -> bool:
    try:
        for _ in json_rows(path, ObjectsRow, "present and absent objects"):
            pass
    except InputError:
        return False
    return True


def sum_objects(seen: Mapping[str, SeenInClip], categories: Sequence[str]) -> ObjectsSummary:
    """What `write_objects` writes of these clips."""
    rows = [row for row in seen.values() if not row.error]
    present, absent = (sum(len(row.present) for row in rows), sum(len(row.absent) for row in rows))
    return ObjectsSummary(
        present=present,
        absent=absent,
        unsure=len(rows) * len(categories) - present - absent,
        asked=sum(min(len(row.present), len(row.absent)) >= ASKED for row in rows),
    )


def write_objects(path: Path, seen: Mapping[str, SeenInClip], categories: Sequence[str]) -> None:
    """A row per clip that can be read; the file is there complete or not at all.

    Args:
        path: of the file, JSON lines.
        seen: in each clip, by its name.
        categories: names, in the order of their places in what was seen.
    """

    def names(places: Sequence[int]) -> list[str]:
        return [categories[place] for place in places]

    rows = [
        ObjectsRow(name, names(row.present), names(row.absent))
        for name, row in seen.items()
        if not row.error
    ]
    if rows:  # else the run ends, for none can be read
        write_rows(path, rows)
