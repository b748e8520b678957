"""Whether the files that were given are those that a task reads."""

from __future__ import annotations

from collections.abc import Iterable

from locvlm.errors import InputError
from locvlm.evaluation.hub_copies import COPIES
from locvlm.evaluation.task import QuestionSet, Sources, Task


def check_sources(task: Task, sources: Sources) -> None:
    """Raises InputError where a file that the task needs is not given, or one that it has not."""
    if task.card.clips and sources.images is not None:
        raise InputError(f"task {task.name} is about clips; give their folder as --videos")
    if not task.card.clips and sources.videos is not None:
        raise InputError(f"task {task.name} is about pictures; give their folder as --images")
    for flag, given in (
        ("--from", sources.reader),
        ("--boxes", sources.boxes),
        ("--split", sources.split),
        ("--names", sources.names),
    ):
        if given is not None and not any(file.has_boxes for file in task.files.values()):
            raise InputError(f"task {task.name} reads no boxes of a data set; leave {flag} out")
    if task.name in COPIES and not sources.files:
        return
    for name, file in task.files.items():
        if file.needed and not file.hub and name not in sources.files:
            raise InputError(
                f"task {task.name} needs --{name}: {file.what} (from {task.card.source})"
            )
    check_flags(task, sources.files)


def check_truths(task: Task, questions: QuestionSet) -> None:
    """Raises InputError where the true answers are public, and were not given."""
    if questions.truths != "not given":
        return
    name, file = next(each for each in task.files.items() if each[0] not in questions.sources.files)
    raise InputError(
        f"task {task.name} needs --{name}: {file.what} (from {task.card.source}); "
        f"{questions.source} is no test split, and without true answers there are no scores"
    )


def check_flags(task: Task, flags: Iterable[str]) -> None:
    """Raises InputError where one of the flags names no file of the task."""
    for flag in flags:
        if flag not in task.files:
            known = ", ".join(f"--{name}" for name in task.files)
            raise InputError(f"task {task.name} takes no --{flag}; it takes {known}")
