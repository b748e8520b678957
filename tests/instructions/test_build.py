from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from locvlm import coordinates
from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.errors import InputError
from locvlm.geometry import Box, Point
from locvlm.instructions import objectives
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.build import QuestionOptions, build
from locvlm.instructions.filters import ObjectLimits
from locvlm.instructions.render import render

CATEGORIES = ("dog", "cat", "cup", "kite", "bus", "tv", "bed")


def picture(number: int, *objects: Object, captions: tuple[str, ...] = ()) -> AnnotatedImage:
    return AnnotatedImage(number, f"{number}.jpg", 100, 100, objects, captions)


def annotations(*images: AnnotatedImage, drops: dict[str, int] | None = None) -> AnnotationSet:
    return AnnotationSet(images, CATEGORIES, Path("instances.json"), Counter(drops or {}))


DOG = Object("dog", Box(10, 20, 50, 60), id=1)
CAT = Object("cat", Box(60, 10, 100, 90), id=2)
SPECK = Object("cup", Box(0, 0, 5, 4), id=3)  # 0.2 % of the picture
DATA = annotations(
    picture(1, DOG, CAT, captions=("A dog and a cat.",)),
    picture(2, DOG, DOG, SPECK),
    picture(3, replace(DOG, crowd=True)),
)


def of(made: list[Conversation], objective: str) -> list[Instruction]:
    return [i for c in made for i in c.instructions if i.objective == objective]


def test_no_pictures() -> None:
    built = build(annotations())
    assert built.conversations == []
    assert built.counts == {"locpred": 0, "negpred": 0, "revloc": 0}
    assert built.drops == {}


def test_counts_are_of_what_was_made() -> None:
    built = build(DATA, QuestionOptions(objectives.names()))
    made = Counter(i.objective for c in built.conversations for i in c.instructions)
    assert made == built.counts
    assert built.counts["locpred"] == 3
    assert built.counts["revloc"] == 5
    assert built.counts["negpred"] == 12


def test_conversation_is_one_picture() -> None:
    built = build(DATA)
    assert [(c.image, c.width, c.height, c.source) for c in built.conversations] == [
        (f"{number}.jpg", 100, 100, "instances.json") for number in (1, 2, 3)
    ]


def test_pictures_without_instructions_are_counted() -> None:
    built = build(annotations(picture(1), picture(2, DOG)), QuestionOptions(["revloc"]))
    assert [c.image for c in built.conversations] == ["2.jpg"]
    assert built.drops == {"pictures without instructions": 1}


def test_drops_of_the_reader_are_passed_on() -> None:
    data = annotations(picture(1, DOG), drops={"boxes without area": 3})
    assert build(data).drops == {"boxes without area": 3}
    assert data.drops == {"boxes without area": 3}


def test_everything_can_be_rendered() -> None:
    form = coordinates.get("ivb", bins=224)
    for item in build(DATA, QuestionOptions(objectives.names(), location="both")).conversations:
        for instruction in item.instructions:
            question, answer = render(instruction, form, (item.width, item.height))
            assert "{" not in question + answer


class TestSeed:
    def test_same_seed_same_data(self) -> None:
        assert build(DATA, QuestionOptions(seed=5, location="both")) == build(
            DATA, QuestionOptions(seed=5, location="both")
        )

    def test_other_seed_other_data(self) -> None:
        assert (
            build(DATA, QuestionOptions(seed=5)).conversations
            != build(DATA, QuestionOptions(seed=6)).conversations
        )

    def test_other_pictures_change_nothing(self) -> None:
        whole = build(DATA).conversations
        assert build(annotations(DATA.images[1])).conversations == whole[1:2]

    def test_other_objectives_change_nothing(self) -> None:
        alone = build(DATA, QuestionOptions(["negpred"])).conversations
        among = build(DATA, QuestionOptions(["revloc", "negpred", "locpred"])).conversations
        assert of(alone, "negpred") == of(among, "negpred")


class TestLocation:
    def test_box_and_point(self) -> None:
        for kind, form in (("box", Box), ("point", Point)):
            made = of(build(DATA, QuestionOptions(location=kind)).conversations, "revloc")  # type: ignore[arg-type]
            assert {type(item.locations[0]) for item in made} == {form}
            assert {item.kind for item in made} == {kind}

    def test_both(self) -> None:
        many = annotations(*(picture(number, DOG) for number in range(60)))
        for name in ("locpred", "negpred", "revloc"):
            kinds = Counter(
                i.kind
                for i in of(build(many, QuestionOptions(location="both")).conversations, name)
            )
            assert min(kinds["box"], kinds["point"]) > 10


class TestMinArea:
    data = annotations(picture(1, DOG, SPECK), picture(2, SPECK, replace(SPECK, id=4)))

    def test_small_objects_are_not_asked_about_but_present(self) -> None:
        for seed in range(20):
            built = build(
                self.data,
                QuestionOptions(
                    ["locpred", "negpred", "revloc", "spatial"],
                    seed=seed,
                    limits=ObjectLimits(min_area=0.003),
                ),
            )
            assert "cup" not in str(built.conversations)
        assert built.counts["revloc"] == built.counts["locpred"] == 1
        assert built.drops == {"objects smaller than min_area, not asked about": 3}

    def test_small_objects_still_make_their_category_plural(self) -> None:
        large = Object("cup", Box(0, 0, 50, 50))
        built = build(
            annotations(picture(1, SPECK, large)),
            QuestionOptions(["locpred", "revloc"], limits=ObjectLimits(min_area=0.003)),
        )
        assert built.counts == {"locpred": 0, "revloc": 1}

    def test_small_objects_are_still_named(self) -> None:
        built = build(
            annotations(picture(1, SPECK)),
            QuestionOptions(["category"], limits=ObjectLimits(min_area=0.5)),
        )
        assert of(built.conversations, "category")[0].answer == "cup"

    def test_exactly_at_the_limit_is_kept(self) -> None:
        built = build(self.data, QuestionOptions(["revloc"], limits=ObjectLimits(min_area=0.002)))
        assert built.counts == {"revloc": 4}
        assert built.drops == {}

    def test_crowds_are_not_counted_as_small(self) -> None:
        crowd = annotations(picture(1, DOG, replace(SPECK, crowd=True)))
        assert build(
            crowd, QuestionOptions(["revloc"], limits=ObjectLimits(min_area=0.003))
        ).drops == {"crowds, not asked about": 1}


class TestBadArguments:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"objectives": []}, "name at least one"),
            ({"objectives": ["revloc", "revloc"]}, "none of them twice"),
            ({"objectives": ["nothing"]}, "unknown objective 'nothing'"),
            ({"objectives": ["caption"]}, "instances.json: has no captions"),
            ({"limits": {"min_area": -0.1}}, "min_area"),
            ({"limits": {"min_area": 1.0}}, "min_area"),
            ({"limits": {"min_area": float("nan")}}, "min_area"),
        ],
    )
    def test_one_line(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            limits = ObjectLimits(**options.get("limits", {}))
            build(annotations(picture(1, DOG)), QuestionOptions(**options | {"limits": limits}))

    def test_braces_in_a_category(self) -> None:
        with pytest.raises(InputError, match="without braces"):
            build(replace(annotations(picture(1, DOG)), categories=("dog", "{loc}")))
