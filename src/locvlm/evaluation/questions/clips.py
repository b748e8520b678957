"""Questions about video clips, with one true answer each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import msgspec

from locvlm.annotations.files import Id, decode_json
from locvlm.errors import InputError
from locvlm.evaluation.questions import Question, QuestionSet
from locvlm.instructions.base import Instruction

Text = Annotated[str, msgspec.Meta(min_length=1)]

# The first words that MSVD-QA and MSRVTT-QA are split by (Xu et al., ACM Multimedia 2017).
FIRST_WORDS = ("what", "who", "how", "when", "where")
OTHER = "other"
_WORD = re.compile(r"\w+")


class _Row(msgspec.Struct):
    """One of MSVD-QA's and MSRVTT-QA's."""

    id: Id
    video_id: int
    question: Text
    answer: Text


def question(
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


def question_set(
    path: Path, questions: Iterable[tuple[str, Question]], dropped: Counter[str] | None = None
) -> QuestionSet:
    """Those of a file, each behind its place in it.

    Raises:
        InputError: two have the same id.
    """
    kept: dict[str, Question] = {}
    for place, item in questions:
        if item.id in kept:
            raise InputError(f"{path}: {place}: a second question {item.id!r}; remove one")
        kept[item.id] = item
    return QuestionSet(tuple(kept.values()), source=path.name, dropped=dropped or Counter())


def read_generated(path: Path, task: str, clip: Callable[[int], str]) -> QuestionSet:
    """A ``test_qa.json`` of MSVD-QA or MSRVTT-QA; `clip` names the file of a ``video_id``.

    Raises:
        InputError: it cannot be read, a row is not as the official ones, or an id comes twice.
    """
    rows = decode_json(path, list[_Row], "a list of questions with id, video_id, question, answer")
    return question_set(
        path,
        (
            (
                f"[{place}].id",
                question(
                    task,
                    str(row.id),
                    clip(row.video_id),
                    row.question,
                    row.answer,
                    type=first_word(row.question),
                ),
            )
            for place, row in enumerate(rows)
        ),
    )


def first_word(asked: str) -> str:
    """One of `FIRST_WORDS`, or other."""
    word = _WORD.search(asked.lower())
    return word[0] if word and word[0] in FIRST_WORDS else OTHER
