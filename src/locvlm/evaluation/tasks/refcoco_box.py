"""Referring expression comprehension on RefCOCO, RefCOCO+ and RefCOCOg (arXiv 1608.00272).

One question per sentence, asked as in the paper's LocPred (arXiv 2404.07449): where is what it
means? The rule is the field's accuracy at an IoU of 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from locvlm.evaluation.intervals import Score
from locvlm.evaluation.metrics import first_box
from locvlm.evaluation.questions import references
from locvlm.evaluation.questions.references import Referent
from locvlm.evaluation.task import (
    Card,
    File,
    Outcome,
    Question,
    QuestionSet,
    Reading,
    Scored,
    Sources,
    box_text,
    by_meta,
    mark,
)
from locvlm.evaluation.tasks.refcoco import GOOGLES, LICENSE, SOURCE
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives import locpred

PROMPT = locpred.PROMPTS[0]  # training draws from all; evaluation always asks the same


@dataclass(frozen=True)
class Comprehension:
    """One question per sentence: where is it?"""

    NAME: str
    TITLE: str
    CARD: Card
    OPTIONS: Mapping[str, Any]  # split: one or several, with commas between
    HEADLINES: ClassVar[Sequence[str]] = tuple(
        f"{split}/{score}" for split in references.SPLITS for score in first_box.HEADLINES
    )
    HIT: ClassVar[str] = first_box.HIT
    FILES: ClassVar[Mapping[str, File]] = references.FILES

    def load(self, sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
        """Nothing is drawn: `seed` is not used."""
        return references.question_set(sources, options["split"], self._questions)

    def score(self, question: Question, answer: str, reading: Reading) -> Outcome:
        """The first box in the answer against the true one; no box is an IoU of 0."""
        return first_box.score(question, answer, reading)

    def summarize(self, rows: Sequence[Scored], *, seed: int) -> dict[str, Score]:
        """``{split}/{score}``, as in `first_box.summarize`."""
        scores: dict[str, Score] = {}
        for split, group in by_meta(rows, "split").items():
            found = first_box.summarize(group, seed=seed)
            scores |= {f"{split}/{name}": score for name, score in found.items()}
        return scores

    def _questions(self, referent: Referent) -> list[Question]:
        return [
            Question(
                id=sentence.id,
                image=referent.image,
                size=referent.size,
                instruction=Instruction(
                    self.NAME,
                    PROMPT.replace("{category}", sentence.text),
                    locpred.ANSWER,
                    (referent.box,),
                ),
                expected=box_text(referent.box),
                meta={"split": referent.split},
                marks=(mark(sentence.text, referent.box),),
            )
            for sentence in referent.sentences
        ]


def _comprehension(
    name: str, title: str, splits: str, size: str, hub: str, *, license: str = LICENSE
) -> Comprehension:
    return Comprehension(
        NAME=name,
        TITLE=f"Referring expressions: {title}",
        CARD=Card("localization", size, license, SOURCE, hub),
        OPTIONS={"split": splits},
    )


TASKS = (
    _comprehension(
        "refcoco-box", "RefCOCO", "testB", "5,095 sentences (testB)", "lmms-lab/RefCOCO"
    ),
    _comprehension(
        "refcoco+-box", "RefCOCO+", "testB", "4,889 sentences (testB)", "lmms-lab/RefCOCOplus"
    ),
    _comprehension(
        "refcocog-box",
        "RefCOCOg",
        "val,test",
        "4,896 sentences (val) and 9,602 (test)",
        "lmms-lab/RefCOCOg",
        license=GOOGLES,
    ),
)
