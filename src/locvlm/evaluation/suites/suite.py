"""Many tasks in one go: all whose files are on disk, and one table beside published figures.

A suite is a YAML list:

    - name: coco-spatial            # folder of its run
      task: coco-spatial
      files: {annotations: coco/annotations/instances_train2017.json}   # below the data folder
      images: coco/train2017
      split: val                    # of detection annotations; val, else test, else all
      options: {min_objects: 3}
      published:                    # score -> who -> figure, as printed
        left-right/direct/accuracy: {LLaVA: 55.1, LocVLM-B: 69.5}
      notes:                        # what to know about such a figure
        left-right/direct/accuracy: {LLaVA: its two sides have a mean of 60.5}

Instead of a path there may be a list of them, of which the first that is there is taken. Instead of
a figure there may be one per setting, such as ``LocVLM-L: {zero-shot: 50.2, supervised: 63.5}``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.sources import check_flags, check_sources
from locvlm.evaluation.task import Sources
from locvlm.io.confined_paths import relative_inside
from locvlm.io.own_files import convert_own
from locvlm.io.reading import quote
from locvlm.io.yaml_text import UniqueKeyLoader, parse_yaml_bytes

SUITES = Path(__file__).parent


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run of a suite."""

    name: str
    task: str
    files: dict[str, str | list[str]]  # by the flag; paths below the data folder
    images: str | list[str] | None = None  # folder of the pictures, likewise; None: has none
    videos: str | list[str] | None = None  # folder of the clips, likewise
    split: str | None = None  # of detection annotations; None: val, else test, else all
    options: dict[str, Any] = {}  # the task's own
    published: dict[str, dict[str, float | dict[str, float]]] = {}  # score -> who -> figure, or
    # setting -> figure, as printed
    notes: dict[str, dict[str, str]] = {}  # score -> who -> what to know about the figure

    def figures(self, score: str) -> list[PublishedFigure]:
        """What was published of a score."""
        notes = self.notes.get(score, {})
        return [
            PublishedFigure(who, setting, value, notes.get(who, ""))
            for who, printed in self.published.get(score, {}).items()
            for setting, value in (printed if isinstance(printed, dict) else {"": printed}).items()
        ]


@dataclass(frozen=True, slots=True)
class PublishedFigure:
    """One figure of a paper."""

    who: str  # the model
    setting: str  # such as "zero-shot" or "supervised"; "": the paper tells no two apart
    value: float  # as printed
    note: str  # what to know about it; "": nothing


def names() -> list[str]:
    """The suites that come along."""
    return sorted(path.stem for path in SUITES.glob("*.yaml"))


def read_suite(name: str) -> list[Entry]:
    """A suite that comes along, by its name, or a file.

    Raises:
        InputError: there is no such suite, or it is none.
    """
    path = SUITES / f"{name}.yaml" if name in names() else Path(name)
    try:
        data = path.read_bytes()
    except (OSError, ValueError):
        raise InputError(f"no suite {name!r}; known: {', '.join(names())}, or a file") from None
    tree = parse_yaml_bytes(data, path, UniqueKeyLoader, "a suite")
    entries = convert_own(tree, list[Entry], str(path), "a suite")
    for entry in entries:
        if relative_inside(path, entry.name) is None:
            raise InputError(
                f"{path}: the name {quote(entry.name)} leads out of the folder of the runs; give "
                "one without / and .."
            )
        task = tasks.get(entry.task)
        tasks.resolve_options(task, entry.options)
        check_flags(task, entry.files)
        for score, who in _notes_of_nothing(entry):
            raise InputError(
                f"{path}: {entry.name} notes {score} of {who}, and has no such published figure"
            )
    return entries


def _notes_of_nothing(entry: Entry) -> Iterator[tuple[str, str]]:
    for score, notes in entry.notes.items():
        for who in notes:
            if who not in entry.published.get(score, {}):
                yield score, who


def find_sources(entry: Entry, root: Path | Sources) -> Sources:
    """The entry's files below the data folder `root`, or `root` itself: one data set for all.

    Raises:
        InputError: one that is needed is not there; the entry asks about other files than those of
            a detection data set.
    """
    if isinstance(root, Sources):
        if tasks.get(entry.task).ask_about is None:
            raise InputError(f"{entry.task} does not ask about detection annotations alone")
        return replace(root, split=entry.split or root.split)
    needed = tasks.get(entry.task).files
    found = {}
    for flag, paths in entry.files.items():
        path = _first(root, paths)
        if path is not None:
            found[flag] = path
        elif needed[flag].needed:
            raise InputError(f"no {root / _as_list(paths)[0]}")
    if entry.files and not found:  # any of them would do
        raise InputError(f"no {root / _as_list(next(iter(entry.files.values())))[0]}")
    images, videos = (_folder(root, paths) for paths in (entry.images, entry.videos))
    sources = Sources(found, images, videos=videos, split=entry.split)
    check_sources(tasks.get(entry.task), sources)
    return sources


def _folder(root: Path, paths: str | list[str] | None) -> Path | None:
    """Raises InputError where one is named and none of them is there."""
    if paths is None:
        return None
    path = _first(root, paths)
    if path is None:
        raise InputError(f"no {root / _as_list(paths)[0]}")
    return path


def _as_list(paths: str | list[str]) -> list[str]:
    return [paths] if isinstance(paths, str) else paths


def _first(root: Path, paths: str | list[str]) -> Path | None:
    return next((root / path for path in _as_list(paths) if (root / path).exists()), None)
