"""Region description on RefCOCO, RefCOCO+ and RefCOCOg, as in arXiv 2404.07449.

The sentences by which people meant an object are the references that a model's own description of
it is compared with (arXiv 1608.00272; the rules are those of github.com/lichengunc/refer).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from locvlm.evaluation.intervals import Score
from locvlm.evaluation.metrics import captions
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
    by_meta,
    mark,
)
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives import revloc

PROMPT = revloc.PROMPTS[0]  # training draws from all; evaluation always asks the same

SOURCE = "https://github.com/lichengunc/refer"
LICENSE = "Apache-2.0"
GOOGLES = "CC BY 4.0"  # Google RefExp, of which RefCOCOg is a split


@dataclass(frozen=True)
class Description:
    """One question per object: what is in its box?"""

    NAME: str
    TITLE: str
    CARD: Card
    OPTIONS: Mapping[str, Any]  # split: one or several, with commas between
    HEADLINES: ClassVar[Sequence[str]] = tuple(f"{split}/METEOR" for split in references.SPLITS)
    HIT: ClassVar[str] = "the answer has every word of one of the references"
    FILES: ClassVar[Mapping[str, File]] = references.FILES

    def load(self, sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
        """Nothing is drawn: `seed` is not used."""
        return references.question_set(sources, options["split"], self._questions)

    def score(self, question: Question, answer: str, reading: Reading) -> Outcome:
        """For the examples of a report; the scores are of all answers together."""
        said = words(answer)
        return Outcome(any(words(text) <= said for text in question.accepted), {})

    def summarize(self, rows: Sequence[Scored], *, seed: int) -> dict[str, Score]:
        """``{split}/{metric}``, as in `captions.scores`."""
        return captions.scores(_corpora(rows), seed=seed)

    def drawn(
        self, runs: Sequence[Sequence[Scored]], counts: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        """The scores of draws from the rows of several runs, as `paired` asks for them."""
        splits = [row.meta["split"] for row in runs[0]]
        places = {split: np.flatnonzero(np.equal(splits, split)) for split in dict.fromkeys(splits)}
        corpora = [_corpora(rows) for rows in runs]
        return captions.drawn(corpora, {split: counts[:, at] for split, at in places.items()})

    def _questions(self, referent: Referent) -> list[Question]:
        texts = tuple(sentence.text for sentence in referent.sentences)
        return [
            Question(
                id=referent.id,
                image=referent.image,
                size=referent.size,
                instruction=Instruction(self.NAME, PROMPT, texts[0], (referent.box,)),
                expected=" / ".join(texts),
                meta={"split": referent.split},
                marks=(mark(texts[0], referent.box),),
                accepted=texts,
            )
        ]


def _corpora(rows: Sequence[Scored]) -> dict[str, list[captions.Pair]]:
    """Of each split."""
    return {
        split: [(row.answer, row.accepted) for row in group]
        for split, group in by_meta(rows, "split").items()
    }


def words(text: str) -> set[str]:
    """The words of `text`, in lower case."""
    return set(re.findall(r"\w+", text.lower()))


def _description(
    name: str, title: str, splits: str, size: str, hub: str, *, license: str = LICENSE
) -> Description:
    return Description(
        NAME=name,
        TITLE=f"Region description: {title}",
        CARD=Card("region description", size, license, SOURCE, hub),
        OPTIONS={"split": splits},
    )


TASKS = (
    _description("refcoco", "RefCOCO", "testB", "1,810 objects (testB)", "lmms-lab/RefCOCO"),
    _description("refcoco+", "RefCOCO+", "testB", "1,798 objects (testB)", "lmms-lab/RefCOCOplus"),
    _description(
        "refcocog",
        "RefCOCOg",
        "val,test",
        "2,573 objects (val) and 5,023 (test)",
        "lmms-lab/RefCOCOg",
        license=GOOGLES,
    ),
)
