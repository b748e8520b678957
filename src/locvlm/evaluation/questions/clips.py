"""Questions about video clips, with one true answer each, and where the clips are.

A clip may have another ending than the publisher's: those from YouTube come as .mp4, .mkv or .webm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from locvlm.annotations.drops import Drops
from locvlm.errors import InputError
from locvlm.evaluation.task import Question, QuestionSet
from locvlm.instructions.base import Instruction
from locvlm.media.clip_names import possible_names
from locvlm.media.image_files import ImageFolder, safe_name

if TYPE_CHECKING:
    from locvlm.evaluation.task import Sources

Text = Annotated[str, msgspec.Meta(min_length=1)]


def make_question(
    task: str,
    number: str,
    clip: str,
    asked: str,
    answer: str,
    choices: tuple[str, ...] = (),
    **meta: str,
) -> Question:
    """About the `clip`, which is a name of a file."""
    instruction = Instruction(task, asked, answer)
    return Question(number, clip, None, instruction, answer, meta, choices=choices)


class ClipFolder:
    """The folder of the clips, asked for one after the other.

    Attributes:
        skipped: reason -> clips that cannot be asked about.
    """

    def __init__(self, folder: Path | None):
        self.skipped = Drops()
        self._folder = ImageFolder(folder, self.skipped, "clips")
        self._found: dict[str, str | None] = {}

    def find(self, *clips: str) -> str | None:
        """The clip's file under one of its names, with this ending or another.

        None, and counted, where there is none. Without a folder it is the first name.
        """
        if clips[0] not in self._found:
            names = dict.fromkeys(name for clip in clips for name in possible_names(clip))
            self._found[clips[0]] = self._folder.find(list(names))
        return self._found[clips[0]]

    def check(self, source: Path) -> None:
        """Raises InputError where none of the clips that `source` names was there."""
        self._folder.check(source)


def question_set(
    sources: Sources,
    questions: Iterable[tuple[str, Question]],
    dropped: Counter[str] | None = None,
    names: Callable[[str], Sequence[str]] = lambda clip: [clip],
) -> QuestionSet:
    """Those of the file of questions, each behind its place in it, about clips that are there.

    `names`: what the file of a clip may be called, the likeliest first.

    Raises:
        InputError: two have the same id, a clip's name leads out of its folder, or none is there.
    """
    path, found = sources["questions"], ClipFolder(sources.videos)
    ids: set[str] = set()
    usable: list[Question] = []
    for place, item in questions:
        if item.id in ids:
            raise InputError(f"{path}: {place}: a second question {item.id!r}; remove one")
        ids.add(item.id)
        safe_name(item.image, f"{path}: {place}")
        clip = found.find(*names(item.image))
        if clip is not None:
            usable.append(replace(item, image=clip))
    found.check(path)
    return QuestionSet(tuple(usable), +found.skipped, path.name, dropped=dropped or Counter())
