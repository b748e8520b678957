"""COCO-Spatial as its first author released it: left or right, above or below, mirrored too.

The files and their questions are those of https://github.com/kahnchana/locvlm (release v1.0; what
is read in ``questions/separate_pairs.py``): pairs of single objects of which the first ends before
the second begins. The code there makes questions, each with a right and a wrong sentence, and the
mirrored picture; it scores nothing. Here an answer has the right word, or the likelier of the two
sentences is the right one (``--answer choice``).

From left to right the object on the right is always asked for, so "right" is always right, and
"left" in the mirrored picture: only both together tell. From top to bottom either object is asked
for, and mirroring changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from locvlm.annotations.base import AnnotationSet, Object
from locvlm.annotations.drops import Drops
from locvlm.errors import InputError
from locvlm.evaluation.intervals import Score, rate
from locvlm.evaluation.metrics.side_words import RULES, WORDS, opposite, score_side
from locvlm.evaluation.questions.coco_photos import file_names
from locvlm.evaluation.questions.detections import question_set, read_annotations
from locvlm.evaluation.questions.separate_pairs import ANY, PairedImage, find_pairs, read_pairs
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
    make_mark,
)
from locvlm.instructions.base import Instruction
from locvlm.io.reading import is_file, is_folder
from locvlm.media.image_files import find_images

NAME = "coco-spatial-released"
RELEASED = ("coco_spatial.json", "coco_up_down.json")
VIEWS = ("original", "mirrored")
AMBIGUOUS = "pairs with an object that is not the only one of its name"


@dataclass(frozen=True, slots=True)
class _Wording:
    question: str  # where is b, seen from a?
    answer: str
    both_orders: bool


_WORDINGS = {
    "left-right": _Wording(
        "Which side of the {a} is the {b}?", "The {b} is on the {side} side of the {a}.", False
    ),
    "above-below": _Wording(
        "Where is the {b} relative to the {a}?", "The {b} is {side} the {a}.", True
    ),
}


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """Of a released file, of a folder with both, or of detection annotations by the same rule.

    Raises:
        InputError: neither or both are given, or as `read_pairs`; the option has no such value.
    """
    axis = _axis_of(options)
    if ("questions" in sources.files) == ("annotations" in sources.files):
        raise InputError(
            f"task {NAME} needs one of --questions ({RELEASED[0]}, {RELEASED[1]} or a folder with "
            "both) and --annotations (any detection annotations)"
        )
    if "annotations" in sources.files:
        return make_questions(read_annotations(sources), seed=seed, options=options)
    if sources.reader is not None or sources.boxes is not None:
        raise InputError(f"task {NAME}: --from and --boxes are about --annotations")
    return _of_released(sources, axis)


def make_questions(
    annotations: AnnotationSet, *, seed: int, options: Mapping[str, Any]
) -> QuestionSet:
    """Those that the released rule makes of any detection annotations. Nothing is drawn.

    Raises InputError for an option that has no such value.
    """
    axis = _axis_of(options)
    axes = list(WORDS) if axis == ANY else [axis]
    questions: list[Question] = []
    skipped: Counter[str] = Counter()
    for image in annotations.images:
        for axis in axes:
            paired = find_pairs(image, axis)
            questions.extend(_image_questions(paired, axis, image.file_name))
            skipped[f"{axis}: no two single objects apart"] += not paired.pairs
    return question_set(annotations, questions, skipped)


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """The right word is in the answer. Strict: and the other one is not."""
    values = score_side(question.expected, answer)
    return Outcome(bool(values["strict accuracy"]), values)


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Both scores per axis: of all answers, per right word, per view, and right in both views."""
    scores = {}
    for axis, words in WORDS.items():
        of_axis = [row for row in rows if row.meta["axis"] == axis]
        views = {v: [row for row in of_axis if row.meta["view"] == v] for v in VIEWS}
        groups = [(axis, of_axis), *((f"{axis}/{view}", group) for view, group in views.items())]
        for rule in RULES:
            for name, group in groups:
                scores[f"{name}/{rule}"] = rate(bool(row.values[rule]) for row in group)
            for word in words:
                said = (bool(row.values[rule]) for row in of_axis if row.expected == word)
                scores[f"{axis}/{rule} {word}"] = rate(said)
            scores[f"{axis}/both views/{rule}"] = rate(_in_both(views, rule))
    return dict(sorted(scores.items(), key=lambda item: item[0].rpartition("/")[0]))


TASK = Task(
    name=NAME,
    title="Spatial reasoning, as released: left or right, above or below, also mirrored",
    hit="the answer has the right word and not the other (the strict score)",
    card=TaskCard(
        kind="spatial reasoning",
        size="two files about COCO 2014 val",
        license="MIT (the repository), CC BY 4.0 (COCO annotations)",
        source="https://github.com/kahnchana/locvlm/releases/tag/v1.0",
    ),
    files={
        "questions": TaskFile(
            f"{RELEASED[0]} or {RELEASED[1]}, or a folder with both", needed=False
        ),
        "annotations": TaskFile(
            "instead: detection annotations, from which the same rule makes pairs",
            needed=False,
            has_boxes=True,
        ),
    },
    headlines=tuple(
        f"{axis}/{part}{rule}" for axis in WORDS for part in ("", "both views/") for rule in RULES
    ),
    options={"axis": ANY},  # or left-right, above-below: that alone
    load=load,
    ask_about=make_questions,
    score=score,
    summarize=summarize,
)


def _axis_of(options: Mapping[str, Any]) -> str:
    """Raises InputError where the option has no such value."""
    axis: str = {**TASK.options, **options}["axis"]
    if axis not in (ANY, *WORDS):
        known = ", ".join((ANY, *WORDS))
        raise InputError(f"option axis: {axis!r} is unknown; give one of {known}")
    return axis


def _of_released(sources: Sources, axis: str) -> QuestionSet:
    path = sources["questions"]
    skipped = Drops()
    read = [(file, *read_pairs(file, axis, skipped)) for file in _files(path)]
    if len({which for _, which, _ in read}) < len(read):
        raise InputError(f"{path}: both files are of {read[0][1]}; give one of them")
    named = {
        image.file_name: file_names(image.file_name) for *_, images in read for image in images
    }
    found = find_images(named, sources.images, path, skipped)
    questions: list[Question] = []
    for file, which, images in read:
        for image in (image for image in images if image.file_name in found):
            clear = _leave_out_ambiguous(image, skipped, f"{file}: data[{image.id}]")
            questions.extend(_image_questions(clear, which, found[image.file_name]))
    return QuestionSet(tuple(questions), skipped, source=path.name)


def _files(path: Path) -> list[Path]:
    """Raises InputError for a folder without any."""
    if not is_folder(path):
        return [path]
    files = [path / name for name in RELEASED if is_file(path / name)]
    if not files:
        raise InputError(f"{path}: has neither {RELEASED[0]} nor {RELEASED[1]}; name the file")
    return files


def _leave_out_ambiguous(image: PairedImage, skipped: Drops, where: str) -> PairedImage:
    """Without pairs whose question would be about one of several; the rule makes none."""
    counts = Counter(item.category for item in image.objects)
    clear = []
    for place, pair in enumerate(image.pairs):
        if all(counts[image.objects[index].category] == 1 for index in pair):
            clear.append(pair)
        else:
            skipped.note(AMBIGUOUS, f"{where}.good_pairs[{place}]")
    return replace(image, pairs=tuple(clear))


def _image_questions(image: PairedImage, axis: str, file_name: str) -> Iterator[Question]:
    """About the picture, then about the mirrored one."""
    low, high = WORDS[axis]
    for view in VIEWS:
        for i, j in image.pairs:
            first, second = image.objects[i], image.objects[j]
            yield _question(image, axis, file_name, (first, second), high, view)
            if _WORDINGS[axis].both_orders:
                yield _question(image, axis, file_name, (second, first), low, view)


def _question(
    image: PairedImage, axis: str, file_name: str, pair: tuple[Object, Object], word: str, view: str
) -> Question:
    """Where is the second of the `pair`, seen from the first? `word` is true in the original."""
    wording, mirrored = _WORDINGS[axis], view == "mirrored"
    a, b = pair
    word = opposite(word) if mirrored and axis == "left-right" else word
    names = {"a": a.category, "b": b.category}
    choices = {side: wording.answer.format(**names, side=side) for side in WORDS[axis]}
    boxes = [item.box.flip(image.size[0]) if mirrored else item.box for item in (a, b)]
    return Question(
        id=f"{image.id}/{axis}/{view}/{a.category}>{b.category}",
        image=file_name,
        size=image.size,
        instruction=Instruction(NAME, wording.question.format(**names), choices[word]),
        expected=word,
        meta={"axis": axis, "view": view, **names},
        choices=tuple(choices.values()),
        marks=tuple(map(make_mark, names.values(), boxes)),
        mirrored=mirrored,
    )


def _in_both(views: Mapping[str, Sequence[ScoredAnswer]], rule: str) -> Iterator[bool]:
    """Per question that was answered in both views, whether both answers are right."""
    mirrored = {_without_view(row): row for row in views["mirrored"]}
    for row in views["original"]:
        if (other := mirrored.get(_without_view(row))) is not None:
            yield bool(row.values[rule] and other.values[rule])


def _without_view(row: ScoredAnswer) -> tuple[str, str, str]:
    return row.image, row.meta["a"], row.meta["b"]
