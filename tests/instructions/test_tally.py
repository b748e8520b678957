"""The table of a build against what can be counted one by one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.instructions import objectives
from locvlm.instructions.asked import Asked, LeftOut
from locvlm.instructions.build import (
    QuestionOptions,
    ask_about_batch,
    limit_plan,
    lowest_ranks,
    make_plan,
)
from locvlm.instructions.tally import Tallies, add_tallies, finish_tallies, tally_batch
from tests.instructions.objectives.asking import DOG, FULL, image, thing
from tests.instructions.objectives.test_image_batch import CATEGORIES, pictures

NAMES = tuple(name for name in objectives.names() if name != "caption")
OPTIONS = QuestionOptions(NAMES, spatial=("left-right", "count"))


def tally(
    images: Sequence[AnnotatedImage], options: QuestionOptions = OPTIONS, *, at_once: int = 99
) -> dict[str, Asked]:
    """The table of a build in batches."""
    data = AnnotationSet(images, CATEGORIES, Path("a.json"))
    plan = make_plan(data, options)
    if options.per_category:
        plan = limit_plan(plan, [lowest_ranks(plan, images)])
    total: Tallies = {}
    for start in range(0, len(images), at_once):
        made = ask_about_batch(plan, images[start : start + at_once])
        add_tallies(total, tally_batch(made.batch, plan.context, made.asked, made.groups))
    return finish_tallies(total, options.objectives)


def left_out(asked: Asked) -> dict[str, tuple[int, int]]:
    return {each.why: (each.count, each.of) for each in asked.left_out}


def test_what_locpred_leaves_out() -> None:
    asked = tally([FULL, image(thing("cup", 0, 0))])["locpred"]
    assert asked == Asked(
        questions=3,
        present=3,
        absent=0,
        images=2,
        categories=3,
        left_out=(LeftOut(2, 5, "objects", "their picture holds several of the kind"),),
    )
    assert str(asked.left_out[0]) == "2 of 5 objects: their picture holds several of the kind"


def test_things_without_a_box_are_no_known_plural() -> None:
    unsure = replace(image(DOG, thing("cat", 0, 0)), not_exhaustive=("dog",))
    assert left_out(tally([unsure])["locpred"]) == {
        "not all of their kind in the picture have a box": (1, 2)
    }


def test_pictures_that_negpred_has_little_to_ask_about() -> None:
    every = image(*(thing(name, 0, 0) for name in CATEGORIES))
    asked = tally([every, image(DOG)])["negpred"]
    assert (asked.questions, asked.absent, asked.present, asked.images) == (2, 2, 0, 1)
    assert left_out(asked) == {
        "no category is surely absent from them": (1, 2),
        "asked less, since too few categories are absent from them": (1, 2),
    }


def test_captions() -> None:
    options = QuestionOptions(("caption",))
    said = image(captions=tuple(f"Caption {number}." for number in range(7)))
    asked = tally([said, image(DOG)], options)["caption"]
    assert (asked.questions, asked.present, asked.absent, asked.categories) == (5, 0, 0, 0)
    assert left_out(asked) == {
        "they have no caption": (1, 2),
        "their picture has 5 before them": (2, 7),
    }


def test_a_quota_is_a_reason() -> None:
    images = [replace(image(DOG), id=number) for number in range(5)]
    asked = tally(images, replace(OPTIONS, per_category=2))
    assert asked["revloc"].questions == asked["revloc"].images == 2
    assert left_out(asked["revloc"]) == {"beyond --per-category": (3, 5)}


def test_objectives_that_ask_nothing_are_in_the_table() -> None:
    asked = tally([image(DOG)])
    assert list(asked) == list(NAMES)
    assert asked["multiple"].questions == 0
    assert left_out(asked["multiple"]) == {
        "they are the only ones of their kind in the picture": (1, 1)
    }


@settings(max_examples=60)
@given(pictures)
def test_all_adds_up(images: list[AnnotatedImage]) -> None:
    asked = tally(images)
    objects = [item for each in images for item in each.objects if not item.crowd]
    kinds = [kind for each in images for kind in {item.category for item in each.objects}]
    multiple = [
        len(some) for each in images for some in each.instances().values() if 2 <= len(some) <= 6
    ]
    for name, seen, whole in (
        ("locpred", asked["locpred"].questions, len(objects)),
        ("revloc", asked["revloc"].questions, len(objects)),
        ("multiple", sum(multiple), len(objects)),
        ("presence", asked["presence"].present, len(kinds)),
        ("category", asked["category"].questions, len(images)),
        ("spatial", asked["spatial"].images, len(images)),
    ):
        reasons = asked[name].left_out
        assert all(each.of == whole for each in reasons)
        assert seen + sum(each.count for each in reasons) == whole, name


@settings(max_examples=30)
@given(pictures)
def test_questions_are_those_of_the_rows(images: list[AnnotatedImage]) -> None:
    plan = make_plan(AnnotationSet(images, CATEGORIES, Path("a.json")), OPTIONS)
    rows = ask_about_batch(plan, images).conversations("a.json")
    items = [(number, item) for number, row in enumerate(rows) for item in row.instructions]
    counts = Counter(item.objective for _, item in items)
    for name, asked in tally(images, at_once=2).items():
        own = [(number, item) for number, item in items if item.objective == name]
        named = [item for _, item in own if item.category]
        there = [item for item in named if item.locations or item.evidence]
        assert asked.questions == counts[name]
        assert (asked.present, asked.absent) == (len(there), len(named) - len(there))
        assert asked.images == len({number for number, _ in own})
        assert asked.categories == len({item.category for item in named})
