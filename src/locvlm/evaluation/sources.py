"""Where a task's data are: files in their official form, and the folder of pictures or clips."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from locvlm.errors import InputError
from locvlm.evaluation.hub_copies import COPIES
from locvlm.evaluation.questions import Task
from locvlm.io.atomic import sha256


@dataclass(frozen=True)
class Sources:
    """The files of a task, by the names of the command line's flags."""

    files: Mapping[str, Path] = field(default_factory=dict)  # "annotations", "questions", …
    images: Path | None = None  # folder of the pictures; None: not looked at
    reader: str | None = None  # form of detection annotations; None: told from the file
    videos: Path | None = None  # folder of the clips; None: not looked at

    def __getitem__(self, name: str) -> Path:
        return self.files[name]

    def get(self, name: str) -> Path | None:
        return self.files.get(name)

    def seen(self, task: Task) -> Path | None:
        """The folder of what the task asks about."""
        return self.videos if task.CARD.clips else self.images

    def digests(self) -> dict[str, dict[str, str]]:
        """Name and SHA-256 of each file; of a folder its name alone."""
        return {
            name: {"file": path.name, **({"sha256": sha256(path)} if path.is_file() else {})}
            for name, path in self.files.items()
        }


def check(task: Task, sources: Sources) -> None:
    """Raises InputError where a file that the task needs is not given, or one that it has not."""
    if task.CARD.clips and sources.images is not None:
        raise InputError(f"task {task.NAME} is about clips; give their folder as --videos")
    if not task.CARD.clips and sources.videos is not None:
        raise InputError(f"task {task.NAME} is about pictures; give their folder as --images")
    if task.NAME in COPIES and not sources.files:
        return
    for name, file in task.FILES.items():
        if file.needed and not file.hub and name not in sources.files:
            raise InputError(
                f"task {task.NAME} needs --{name}: {file.what} (from {task.CARD.source})"
            )
    check_flags(task, sources.files)


def check_flags(task: Task, flags: Iterable[str]) -> None:
    """Raises InputError where one of the flags names no file of the task."""
    for flag in flags:
        if flag not in task.FILES:
            known = ", ".join(f"--{name}" for name in task.FILES)
            raise InputError(f"task {task.NAME} takes no --{flag}; it takes {known}")
