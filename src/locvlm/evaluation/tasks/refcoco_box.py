"""Referring expression comprehension on RefCOCO, RefCOCO+ and RefCOCOg (arXiv 1608.00272).

One question per sentence, asked as in the paper's LocPred (arXiv 2404.07449): where is what it
means? The rule is the field's accuracy at an IoU of 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from locvlm.evaluation.intervals import Score
from locvlm.evaluation.metrics import first_box
from locvlm.evaluation.questions import references
from locvlm.evaluation.questions.references import Referent
from locvlm.evaluation.task import (
    Question,
    QuestionSet,
    ScoredAnswer,
    Sources,
    Task,
    TaskCard,
    format_box,
    group_by_meta,
    make_mark,
)
from locvlm.evaluation.tasks.refcoco import GOOGLES, LICENSE, SOURCE
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives import locpred

PROMPT = locpred.PROMPTS[0]  # training draws from all; evaluation always asks the same


def load(sources: Sources, *, seed: int, options: Mapping[str, Any], name: str) -> QuestionSet:
    """One question per sentence, of the task `name`. Nothing is drawn."""
    return references.question_set(
        sources, options["split"], lambda referent: _questions(name, referent)
    )


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """``{split}/{score}``, as in `first_box.summarize`."""
    scores: dict[str, Score] = {}
    for split, group in group_by_meta(rows, "split").items():
        found = first_box.summarize(group, seed=seed)
        scores |= {f"{split}/{name}": score for name, score in found.items()}
    return scores


def _questions(task: str, referent: Referent) -> list[Question]:
    return [
        Question(
            id=sentence.id,
            image=referent.image,
            size=referent.size,
            instruction=Instruction(
                task,
                PROMPT.replace("{category}", sentence.text),
                locpred.ANSWER,
                (referent.box,),
            ),
            expected=format_box(referent.box),
            meta={"split": referent.split},
            marks=(make_mark(sentence.text, referent.box),),
        )
        for sentence in referent.sentences
    ]


def _task(
    name: str, title: str, splits: str, size: str, hub: str, *, license: str = LICENSE
) -> Task:
    return Task(
        name=name,
        title=f"Referring expressions: {title}",
        hit=first_box.HIT,
        card=TaskCard("localization", size, license, SOURCE, hub),
        files=references.FILES,
        headlines=tuple(
            f"{split}/{score}" for split in references.SPLITS for score in first_box.HEADLINES
        ),
        load=partial(load, name=name),
        score=first_box.score,
        summarize=summarize,
        options={"split": splits},  # one or several, with commas between
    )


TASKS = (
    _task("refcoco-box", "RefCOCO", "testB", "5,095 sentences (testB)", "lmms-lab/RefCOCO"),
    _task("refcoco+-box", "RefCOCO+", "testB", "4,889 sentences (testB)", "lmms-lab/RefCOCOplus"),
    _task(
        "refcocog-box",
        "RefCOCOg",
        "val,test",
        "4,896 sentences (val) and 9,602 (test)",
        "lmms-lab/RefCOCOg",
        license=GOOGLES,
    ),
)
