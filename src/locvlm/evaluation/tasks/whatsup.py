"""What's Up (arXiv 2310.19785): which caption has the right preposition?

The scores are those of ``dataset_zoo/aro_datasets.py`` in
https://github.com/amitakamath/whatsup_vlms. It ranks the captions by their likeness to the
picture; here a model that answers in words chooses one of them.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from string import ascii_uppercase
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.drops import Drops
from locvlm.errors import InputError
from locvlm.evaluation.intervals import Score, rate
from locvlm.evaluation.questions.coco_photos import file_names
from locvlm.evaluation.questions.texts import clean_text
from locvlm.evaluation.task import (
    AnswerContext,
    Outcome,
    Question,
    QuestionSet,
    ScoredAnswer,
    Sources,
    Task,
    TaskCard,
    TaskFile,
    group_by_meta,
)
from locvlm.instructions.base import Instruction
from locvlm.io.reading import decode_json
from locvlm.media.image_files import find_images, safe_name

NAME = "whatsup"

PROMPT = "Which caption describes the image?"
REQUEST = "Answer with the letter of the caption."

PAIRS = (("left", "right"), ("on", "under"), ("in-front", "behind"))  # as in names of files
_ON_A_SIDE = frozenset({"left", "right", "top", "bottom"})  # last words about one object
_BETWEEN_TWO = ("left of", "right of", "front of", "behind", "above", "below", "top of")


class _Controlled(msgspec.Struct):
    """A photo that was arranged, with four captions; the first is right."""

    image_path: str
    caption_options: list[str]


_FoundPhoto = list[
    int | str
]  # a photo that was found: its number, the right caption, the wrong one


@dataclass(frozen=True, slots=True)
class _Item:
    """Any of the rows."""

    names: list[str]  # that the picture may have
    captions: list[str]  # the first is right
    relation: str
    set: str = ""  # of arranged photos, the two objects


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """One question per row, whose id is its position in the file, from 0.

    Raises:
        InputError: there is no such file, a row is malformed, or it cannot be told whose pictures
            the rows are about.
    """
    path = sources["questions"]
    rows = decode_json(path, list[_Controlled | _FoundPhoto], "a file of What's Up")
    items = [_item(row, f"{path}: [{number}]", path) for number, row in enumerate(rows)]
    names = {item.names[0]: item.names for item in items}
    skipped = Drops()
    found = find_images(names, sources.images, path, skipped)
    questions = [
        _question(number, item, found[item.names[0]], seed)
        for number, item in enumerate(items)
        if item.names[0] in found
    ]
    return QuestionSet(tuple(questions), skipped, source=path.name)


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """The chosen caption is the right one; an answer that chooses none or several is wrong."""
    captions = {key: text for key, text in question.meta.items() if key in ascii_uppercase}
    letter = read_choice(answer, captions)
    right = letter is not None and captions[letter] == question.expected
    return Outcome(right, {"parsed": letter is not None})


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Accuracy, over all and per preposition; for controlled photos also of pairs and of sets.

    A pair is right where both opposite photos of two objects are, a set where all four are. Sets
    of which photos are missing do not count.
    """
    sets: dict[str, dict[str, bool]] = defaultdict(dict)
    for row in rows:
        if row.meta["set"]:
            sets[row.meta["set"]][row.meta["relation"]] = row.hit
    pairs = [[hits[a], hits[b]] for hits in sets.values() for a, b in PAIRS if {a, b} <= set(hits)]
    whole = [hits.values() for hits in sets.values() if len(hits) == 4]
    scores = {
        "accuracy": rate(row.hit for row in rows),
        "pair accuracy": rate(map(all, pairs)),
        "set accuracy": rate(map(all, whole)),
        "parse rate": rate(bool(row.values["parsed"]) for row in rows),
    }
    for name, group in sorted(group_by_meta(rows, "relation").items()):
        scores[f"{name}/accuracy"] = rate(row.hit for row in group)
    return scores


def resample_sets(
    runs: Sequence[Sequence[ScoredAnswer]], counts: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Accuracy of pairs and of sets, whose photos are all drawn; see `ResampleScores`."""
    sets: dict[str, dict[str, int]] = defaultdict(dict)  # the place of each photo's row
    for place, row in enumerate(runs[0]):
        if row.meta["set"]:
            sets[row.meta["set"]][row.meta["relation"]] = place
    pairs = [[of[a], of[b]] for of in sets.values() for a, b in PAIRS if {a, b} <= set(of)]
    whole = [list(of.values()) for of in sets.values() if len(of) == 4]
    there, hits = counts > 0, np.array([[row.hit for row in rows] for rows in runs])
    found = {}
    for name, groups in (("pair accuracy", pairs), ("set accuracy", whole)):
        if groups:
            drawn = np.asarray(there[:, groups].all(axis=2), dtype=np.float64)  # (D, groups)
            right = np.asarray(hits[:, groups].all(axis=2), dtype=np.float64)  # (R, groups)
            with np.errstate(invalid="ignore"):
                found[name] = np.matmul(right, drawn.T) / drawn.sum(axis=1)
    return found


TASK = Task(
    name=NAME,
    title="What's Up: which caption has the right preposition",
    hit="the answer chooses the right caption",
    card=TaskCard(
        kind="spatial reasoning",
        size="412 and 408 (controlled), 2,247 and 440 (COCO), 1,160 and 291 (GQA)",
        license="MIT",
        source="https://github.com/amitakamath/whatsup_vlms",
    ),
    files={
        "questions": TaskFile(
            "controlled_images_dataset.json, coco_qa_two_obj.json or another of its six"
        )
    },
    headlines=("accuracy", "pair accuracy", "set accuracy", "parse rate"),
    load=load,
    score=score,
    summarize=summarize,
    resample_others=resample_sets,
)


def read_choice(answer: str, captions: Mapping[str, str]) -> str | None:
    """The letter of the caption that `answer` chooses.

    It is a letter that stands alone, opens the answer with a mark behind it ("B.", "(b)"), or
    follows the word "answer", "caption" or "option"; else the one caption that the answer quotes.
    The article "A" is no letter.

    >>> read_choice("The answer is B.", {"A": "A cup on a table", "B": "A cup under a table"})
    'B'
    >>> read_choice("A cup on a table", {"A": "A cup on a table", "B": "A cup under a table"})
    'A'
    """
    letters = "".join(captions)
    letter = rf"\(?([{letters}])"
    for pattern in (
        rf"\W*([{letters}])\W*$",
        rf"\s*{letter}[.:)]",
        rf".*?\b(?:answer|caption|option)(?: is)?:? {letter}(?:[.,:)]|$)",
    ):
        match = re.match(pattern, answer.strip(), re.IGNORECASE | re.DOTALL)
        if match:
            return match[1].upper()
    response = _plain(answer)
    quoted = [key for key, text in captions.items() if _plain(text) in response]
    return quoted[0] if len(quoted) == 1 else None


def _item(row: _Controlled | _FoundPhoto, place: str, path: Path) -> _Item:
    if isinstance(row, _Controlled):
        item = _controlled(row, place)
    elif len(row) < 3 or not all(isinstance(text, str) for text in row[1:3]):
        raise InputError(
            f"{place}: not [picture, right caption, wrong caption]; get the file again"
        )
    else:
        captions = [str(text) for text in row[1:3]]
        item = _Item(_file_names(row[0], path, place), captions, relation(captions[0]))
    if not 2 <= len(item.captions) <= len(ascii_uppercase):
        raise InputError(
            f"{place}: has {len(item.captions)} captions; give 2 to {len(ascii_uppercase)}"
        )
    captions = [clean_text(text, f"{place}, caption {n}") for n, text in enumerate(item.captions)]
    return replace(item, captions=captions)


def _controlled(row: _Controlled, place: str) -> _Item:
    """The name of the file says what was arranged: ``mug_left_of_plate.jpeg``."""
    path = PurePosixPath(safe_name(row.image_path, place))
    words = path.stem.split("_")
    if len(words) < 3 or words[1] not in {word for pair in PAIRS for word in pair}:
        raise InputError(
            f"{place}.image_path: {path.name!r} does not say how its objects lie; give the "
            "official name, such as mug_left_of_plate.jpeg"
        )
    names = [path.name, "/".join(path.parts[-2:]), str(path)]
    return _Item(names, row.caption_options, words[1], f"{words[0]}/{words[-1]}")


def relation(caption: str) -> str:
    """The preposition of a caption about one or two objects, as the official code tells it."""
    last = caption.split()[-1].strip(".") if caption.split() else ""
    if last in _ON_A_SIDE:
        return last
    phrase = next((words for words in _BETWEEN_TWO if words in caption), "other")
    return phrase.removesuffix(" of")


def _file_names(number: int | str, path: Path, place: str) -> list[str]:
    if path.name.startswith("coco"):
        return file_names(safe_name(f"{number:0>12}.jpg", place))
    if path.name.startswith("vg"):
        name = safe_name(f"{number}.jpg", place)
        return [name, f"vg_images/{name}"]
    raise InputError(
        f"{path}: pictures have numbers, but of COCO or of Visual Genome? Keep the official file "
        "name, coco_qa_… or vg_qa_…"
    )


def _question(number: int, item: _Item, image: str, seed: int) -> Question:
    """The captions are shuffled by `seed`, each question's for themselves."""
    right, *_ = item.captions
    order = random.Random(f"{seed}/{number}").sample(item.captions, len(item.captions))
    captions = dict(zip(ascii_uppercase, order, strict=False))
    lines = [PROMPT, *(f"{letter}. {text}" for letter, text in captions.items()), REQUEST]
    return Question(
        id=str(number),
        image=image,
        size=None,
        instruction=Instruction(
            NAME, "\n".join(lines), next(key for key, text in captions.items() if text == right)
        ),
        expected=right,
        meta={"relation": item.relation, "set": item.set, **captions},
        choices=tuple(captions),
    )


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".")
