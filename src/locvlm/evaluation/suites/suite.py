"""Many tasks in one go: all whose files are on disk, and one table beside published figures.

A suite is a YAML list:

    - name: coco-spatial            # folder of its run
      task: coco-spatial
      files: {annotations: coco/annotations/instances_train2017.json}   # below the data folder
      images: coco/train2017
      options: {min_objects: 3}
      published:
        left-right/direct/accuracy: {LLaVA: 55.1, LocVLM-B: 69.5}       # as printed

Instead of a path there may be a list of them, of which the first that is there is taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.sources import check_flags, check_sources
from locvlm.evaluation.task import Sources
from locvlm.io.reading import one_line
from locvlm.io.yaml_text import UniqueKeyLoader

SUITES = Path(__file__).parent


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run of a suite."""

    name: str
    task: str
    files: dict[str, str | list[str]]  # by the flag; paths below the data folder
    images: str | list[str] | None = None  # folder of the pictures, likewise; None: has none
    videos: str | list[str] | None = None  # folder of the clips, likewise
    options: dict[str, Any] = {}  # the task's own
    published: dict[str, dict[str, float]] = {}  # score -> who -> figure, as printed


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
        tree = yaml.load(path.read_text(encoding="utf-8"), UniqueKeyLoader)
        entries = msgspec.convert(tree, list[Entry])
    except OSError:
        raise InputError(f"no suite {name!r}; known: {', '.join(names())}, or a file") from None
    except (yaml.YAMLError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise InputError(f"{path}: not a suite: {one_line(str(error))}") from None
    for entry in entries:
        task = tasks.get(entry.task)
        tasks.resolve_options(task, entry.options)
        check_flags(task, entry.files)
    return entries


def find_sources(entry: Entry, root: Path) -> Sources:
    """The entry's files below the data folder `root`.

    Raises:
        InputError: one that is needed is not there.
    """
    needed = tasks.get(entry.task).files
    found = {}
    for flag, paths in entry.files.items():
        path = _first(root, paths)
        if path is not None:
            found[flag] = path
        elif needed[flag].needed:
            raise InputError(f"no {root / _as_list(paths)[0]}")
    images, videos = (_folder(root, paths) for paths in (entry.images, entry.videos))
    sources = Sources(found, images, videos=videos)
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
