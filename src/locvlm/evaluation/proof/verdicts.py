"""What a figure says about an ability, in a sentence that needs no statistics to be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from locvlm.evaluation.proof.structure import LEAST, Changes, Figure, Verdict, Word
from locvlm.evaluation.proof.wording import count, format_change, format_interval
from locvlm.evaluation.reports.differences import widen_interval
from locvlm.evaluation.reports.number_format import format_size, unit_of

_PRESENCE = {"accuracy present": "Says what is there", "accuracy absent": "Says what is absent"}
# Task -> its scores that a verdict is given on, and the ability that each of them tells
ABILITIES: Mapping[str, Mapping[str, str]] = {
    "locate": {"mean IoU": "Finds objects", "several/mean IoU": "Finds one of several"},
    "describe": {"strict accuracy": "Names what is in a box"},
    **dict.fromkeys(("hal-coco", "hal-ade", "hal-act", "pope"), _PRESENCE),
    "coco-spatial": {
        "left-right/direct/strict accuracy": "Tells left from right",
        "above-below/direct/strict accuracy": "Tells above from below",
    },
    "plain-questions": {"accuracy": "Answers plain questions"},
    "plain-captions": {"sound": "Captions photos in plain words"},
}


def abilities_of(task: str, title: str, headlines: Sequence[str]) -> Mapping[str, str]:
    """Score -> the ability that it tells; of other tasks the first headline."""
    known = ABILITIES.get(task)
    return known if known is not None else {headlines[0]: f"“{title}”"} if headlines else {}


def judge(figure: Figure) -> Word:
    """Better or worse where chance in the choice of images is an unlikely reason."""
    if figure.images < LEAST:
        return "too few"
    if figure.excludes_zero and figure.changed >= LEAST:
        return "better" if figure.low > 0 else "worse"
    return "as before"


def unseen_difference(figure: Figure) -> float:
    """How large a difference these images could have hidden.

    The far end of the interval.
    """
    ends = widen_interval(figure.kind, (figure.low, figure.high), figure.images, figure.changed)
    return max(map(abs, ends))


def state(figure: Figure, ability: str, name: str, unit: str) -> Verdict:
    """The verdict on an ability.

    Args:
        figure: of both models.
        ability: what it tells, as a sentence begins: "Finds objects".
        name: of the score, as people call it.
        unit: what the images are called, in the singular.
    """
    word = judge(figure)
    return Verdict(word, f"{ability}{_say(figure, word, name, unit)}.", figure.name)


def _say(figure: Figure, word: Word, name: str, unit: str) -> str:
    what, images = f"{name} {format_change(figure)}", count(figure.images, unit)
    apart = f"difference {format_interval(figure)}{unit_of(figure.kind)}"
    if word in ("better", "worse"):
        return f" {word}: {what}, {apart} on {images}"
    if word == "too few":
        return f": {what} on {images}, too few to tell a difference from chance"
    if figure.excludes_zero:
        return (
            f" as before, as far as {images} can show: {what}, {apart}, but the models differ on "
            f"{count(figure.changed, unit)} alone"
        )
    hidden = f"up to {format_size(figure.kind, unseen_difference(figure))} could have gone unseen"
    if figure.changed == 0:
        same = f" as before: {what} on {images}, the same on each"
        return f"{same}; {hidden}" if unseen_difference(figure) else same
    return f" as before, as far as {images} can show: {what}, {apart}; {hidden}"


def add_changes(verdict: Verdict, changes: Changes) -> Verdict:
    """With how many answers changed at all, whether they are as good or not."""
    more = f" {changes.answers:,} of {changes.questions:,} answers changed."
    return Verdict(verdict.word, verdict.sentence + more, verdict.score)
