"""Region description on RefCOCO, RefCOCO+ and RefCOCOg, as in arXiv 2404.07449.

The sentences by which people meant an object are the references that a model's own description of
it is compared with (arXiv 1608.00272; the rules are those of github.com/lichengunc/refer).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locvlm.coordinates.answers import find_answer
from locvlm.evaluation.intervals import Score
from locvlm.evaluation.metrics import captions
from locvlm.evaluation.questions import references
from locvlm.evaluation.questions.references import Referent
from locvlm.evaluation.task import (
    AnswerContext,
    Outcome,
    Question,
    QuestionSet,
    ScoredAnswer,
    Sources,
    Task,
    TaskCard,
    group_by_meta,
    make_mark,
)
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives import revloc

PROMPT = revloc.PROMPTS[0]  # training draws from all; evaluation always asks the same

SOURCE = "https://github.com/lichengunc/refer"
LICENSE = "Apache-2.0"
GOOGLES = "CC BY 4.0"  # Google RefExp, of which RefCOCOg is a split


def load(sources: Sources, *, seed: int, options: Mapping[str, Any], name: str) -> QuestionSet:
    """One question per object, of the task `name`: what is in its box? Nothing is drawn."""
    return references.question_set(
        sources, options["split"], lambda referent: [_question(name, referent)]
    )


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """For the examples of a report; the scores are of all answers together."""
    found = words(answer)
    return Outcome(any(words(text) <= found for text in question.accepted), {})


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """``{split}/{metric}``, as in `captions.scores`."""
    return captions.scores(_corpora(rows), seed=seed)


def resample(
    runs: Sequence[Sequence[ScoredAnswer]], counts: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """See `ResampleScores`."""
    splits = [row.meta["split"] for row in runs[0]]
    places = {split: np.flatnonzero(np.equal(splits, split)) for split in dict.fromkeys(splits)}
    corpora = [_corpora(rows) for rows in runs]
    return captions.resample_scores(corpora, {split: counts[:, at] for split, at in places.items()})


def _question(task: str, referent: Referent) -> Question:
    texts = tuple(sentence.text for sentence in referent.sentences)
    return Question(
        id=referent.id,
        image=referent.image,
        size=referent.size,
        instruction=Instruction(task, PROMPT, texts[0], (referent.box,)),
        expected=" / ".join(texts),
        meta={"split": referent.split},
        marks=(make_mark(texts[0], referent.box),),
        accepted=texts,
    )


def _corpora(rows: Sequence[ScoredAnswer]) -> dict[str, list[captions.Pair]]:
    """Of each split."""
    return {
        split: [(find_answer(row.answer), row.accepted) for row in group]
        for split, group in group_by_meta(rows, "split").items()
    }


def words(text: str) -> set[str]:
    """The words of `text`, in lower case."""
    return set(re.findall(r"\w+", text.lower()))


def _task(
    name: str, title: str, splits: str, size: str, hub: str, *, license: str = LICENSE
) -> Task:
    return Task(
        name=name,
        title=f"Region description: {title}",
        hit="the answer has every word of one of the references",
        card=TaskCard("region description", size, license, SOURCE, hub),
        files=references.FILES,
        headlines=tuple(f"{split}/METEOR" for split in references.SPLITS),
        load=partial(load, name=name),
        score=score,
        summarize=summarize,
        options={"split": splits},  # one or several, with commas between
        resample=resample,
    )


TASKS = (
    _task("refcoco", "RefCOCO", "testB", "1,810 objects (testB)", "lmms-lab/RefCOCO"),
    _task("refcoco+", "RefCOCO+", "testB", "1,798 objects (testB)", "lmms-lab/RefCOCOplus"),
    _task(
        "refcocog",
        "RefCOCOg",
        "val,test",
        "2,573 objects (val) and 5,023 (test)",
        "lmms-lab/RefCOCOg",
        license=GOOGLES,
    ),
)
