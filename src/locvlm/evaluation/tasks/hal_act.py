"""Hal-Act (arXiv 2404.07449): does the model see things that are not in the video?

The paper's lists of what is in a clip and what is not come from a segmenter that looked at its
frames; here they are a file of its own form, so that any labels can be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from locvlm.errors import InputError
from locvlm.evaluation.metrics import yes_no
from locvlm.evaluation.questions import clips, presence
from locvlm.evaluation.questions.texts import clean_text
from locvlm.evaluation.task import Question, QuestionSet, Sources, Task, TaskCard, TaskFile
from locvlm.io.json_rows import json_rows
from locvlm.media.image_files import safe_name

NAME = "hal-act"


class _Row(msgspec.Struct):
    """What is known about one video."""

    video: str
    present: list[str]
    absent: list[str]


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """Four questions per video; one without two objects of each kind gives none, and is counted.

    Raises:
        InputError: a row is malformed, is the second about its video, or has an object in both
            lists.
    """
    path = sources["annotations"]
    folder = clips.ClipFolder(sources.videos)
    questions: list[Question] = []
    seen: set[str] = set()
    for place, row in json_rows(path, _Row, "present and absent objects"):
        present, absent = _objects(row, place)
        if row.video in seen:
            raise InputError(f"{place}: a second row about {row.video!r}; remove one")
        seen.add(row.video)
        video = folder.find(safe_name(row.video, place))
        if video is not None:
            drawn = presence.draw_objects(present, absent, f"{seed}/{row.video}", folder.skipped)
            questions += [
                presence.make_question(NAME, row.video, video, name, expected, kind="video")
                for name, expected in drawn
            ]
    folder.check(path)
    return QuestionSet(tuple(questions), +folder.skipped, source=path.name)


TASK = Task(
    name=NAME,
    title="Object hallucination in video: is it in the clip",
    hit=yes_no.HIT,
    card=TaskCard(
        kind="object hallucination",
        size="four per video",
        license="that of the lists",
        source="lists of one's own; the videos of http://activity-net.org",
        clips=True,
    ),
    files={
        "annotations": TaskFile(
            'JSON lines {"video": NAME, "present": [NAME, …], "absent": [NAME, …]}'
        )
    },
    headlines=yes_no.HEADLINES,
    load=load,
    score=yes_no.score,
    summarize=yes_no.summarize,
)


def _objects(row: _Row, place: str) -> tuple[list[str], list[str]]:
    """Both lists, each name once."""
    present, absent = (
        list(dict.fromkeys(clean_text(name, f"{place}, {key}") for name in names))
        for key, names in (("present", row.present), ("absent", row.absent))
    )
    both = [name for name in present if name in absent]
    if both:
        raise InputError(f"{place}: {both[0]!r} is in present and absent; remove it from one")
    return present, absent
