import random
import re
from collections import Counter
from dataclasses import replace

import pytest

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.errors import InputError
from locvlm.geometry import Box, Point
from locvlm.instructions import objectives
from locvlm.instructions.base import Conversation, Instruction, flip
from locvlm.instructions.objectives import LocationChoice, QuestionContext
from locvlm.instructions.objectives.caption import PROMPTS as CAPTION_PROMPTS

CATEGORIES = ("person", "dog", "cat", "chair", "cup", "book", "kite", "bus", "tv", "bed", "car")
ASKED = {  # of a dog, in the words of arXiv 2404.07449
    "Where is the object described dog located in image in terms of {repr}?",
    "What is the location of object described dog in terms of {repr}?",
    "Localize the object described dog in terms of {repr}?",
    "Provide a {repr} for the the object described dog?",
    "Generate a {repr} for the the object described dog?",
}
DESCRIBE = {
    "Describe the object located at {loc}?",
    "Provide a caption for object at {loc}?",
    "What is at location {loc} in image?",
}


def thing(category: str, x: float, y: float, side: float = 10, crowd: bool = False) -> Object:
    return Object(category, Box(x, y, x + side, y + side), crowd)


def image(*objects: Object, captions: tuple[str, ...] = ()) -> AnnotatedImage:
    return AnnotatedImage(1, "a.jpg", 100, 100, objects, captions)


def ask(
    name: str, picture: AnnotatedImage, kind: LocationChoice = "box", seed: int = 0
) -> list[Instruction]:
    return objectives.get(name).ask(picture, QuestionContext(CATEGORIES, kind), random.Random(seed))


def questions(name: str, picture: AnnotatedImage) -> set[str]:
    """All questions of many seeds."""
    return {item.question for seed in range(60) for item in ask(name, picture, seed=seed)}


DOG = thing("dog", 10, 20)
FULL = image(
    DOG,
    thing("cat", 60, 20),
    thing("person", 0, 0),
    thing("person", 80, 80),
    thing("chair", 30, 60, crowd=True),
)


def test_names() -> None:
    paper = {"locpred", "negpred", "revloc"}
    ours = {"caption", "category", "multiple", "presence", "spatial"}
    assert objectives.names() == sorted(paper | ours)


def test_unknown_name() -> None:
    with pytest.raises(InputError, match=r"unknown objective 'loc'; known: caption, category"):
        objectives.get("loc")


@pytest.mark.parametrize("name", objectives.names())
def test_nothing_is_made_of_nothing(name: str) -> None:
    assert objectives.get(name).ask(image(), QuestionContext(), random.Random(0)) == []


@pytest.mark.parametrize("name", objectives.names())
@pytest.mark.parametrize("kind", ["box", "point", "both"])
def test_same_seed_same_instructions(name: str, kind: LocationChoice) -> None:
    picture = image(*FULL.objects, captions=("One.", "Two."))
    made = ask(name, picture, kind, seed=3)
    assert made == ask(name, picture, kind, seed=3)
    assert made
    assert {item.objective for item in made} == {name}


class TestLocPred:
    def test_single_instances_only(self) -> None:
        made = ask("locpred", FULL)
        assert [item.locations for item in made] == [
            (Box(10, 20, 20, 30),),
            (Box(60, 20, 70, 30),),
        ]
        assert {item.answer for item in made} == {"It is located at {loc}"}

    def test_the_papers_prompts(self) -> None:
        assert questions("locpred", image(DOG)) == ASKED

    def test_point(self) -> None:
        (item,) = ask("locpred", image(DOG), "point")
        assert (item.locations, item.kind) == ((Point(15, 25),), "point")

    def test_what_has_more_instances_than_boxes_is_not_asked_for(self) -> None:
        (item,) = ask("locpred", replace(FULL, not_exhaustive=("dog",)))
        assert item.category == "cat"

    def test_both(self) -> None:
        made = [item for seed in range(60) for item in ask("locpred", image(DOG), "both", seed)]
        assert {(item.locations, item.kind) for item in made} == {
            ((Point(15, 25),), "point"),
            ((Box(10, 20, 20, 30),), "box"),
        }


class TestNegPred:
    def test_crowds_are_present(self) -> None:
        for seed in range(30):
            for item in ask("negpred", FULL, seed=seed):
                assert not re.search(r"\b(dog|cat|person|chair)\b", item.question)
                assert item.answer == "There is no such object in the image"
                assert item.locations == ()

    def test_the_papers_prompts_are_locpreds(self) -> None:
        negpred = objectives.get("negpred")
        asked = {
            negpred.ask(image(), QuestionContext(("dog",)), random.Random(i))[0].question
            for i in range(60)
        }
        assert asked == ASKED

    @pytest.mark.parametrize(("singles", "expected"), [(0, 4), (4, 4), (5, 5), (9, 8)])
    def test_how_many(self, singles: int, expected: int) -> None:
        known = [f"thing {i}" for i in range(40)]
        picture = image(*(thing(known[i], 2 * i, 0) for i in range(singles)))
        made = objectives.get("negpred").ask(picture, QuestionContext(known), random.Random(0))
        assert len({item.question.split("described")[1] for item in made}) == expected

    def test_no_more_than_are_absent(self) -> None:
        made = objectives.get("negpred").ask(
            image(DOG), QuestionContext(("dog", "cat"), "point"), random.Random(0)
        )
        assert len(made) == 1
        assert "cat" in made[0].question
        assert made[0].kind == "point"


class TestRevLoc:
    def test_all_but_crowds(self) -> None:
        made = ask("revloc", FULL)
        assert [(item.answer, item.locations[0]) for item in made] == [
            ("There is a dog.", Box(10, 20, 20, 30)),
            ("There is a cat.", Box(60, 20, 70, 30)),
            ("There is a person.", Box(0, 0, 10, 10)),
            ("There is a person.", Box(80, 80, 90, 90)),
        ]

    def test_the_papers_prompts(self) -> None:
        assert questions("revloc", image(DOG)) == DESCRIBE

    def test_point(self) -> None:
        (item,) = ask("revloc", image(DOG), "point")
        assert (item.locations, item.kind) == ((Point(15, 25),), "point")


class TestSpatial:
    def test_left_and_right_in_both_orders(self) -> None:
        made = ask("spatial", FULL)  # dog on the left, cat on the right, at one height
        assert {(item.question, item.answer) for item in made} == {
            ("Which side of cat is dog located?", "The dog is located to the left of cat."),
            ("Which side of dog is cat located?", "The cat is located to the right of dog."),
        }
        assert {item.locations for item in made} == {()}

    def test_above_and_below_in_both_orders(self) -> None:
        made = ask("spatial", image(thing("cat", 40, 70), thing("dog", 40, 10)))
        assert {(item.question, item.answer) for item in made} == {
            ("Is dog above or below cat?", "The dog is located above cat."),
            ("Is cat above or below dog?", "The cat is located below dog."),
        }

    @pytest.mark.parametrize(("gap", "count"), [(0.0, 0), (9.9, 0), (10.0, 2)])
    def test_clear_means_a_tenth_of_the_picture(self, gap: float, count: int) -> None:
        assert len(ask("spatial", image(thing("cat", 40, 40), thing("dog", 40 + gap, 40)))) == count
        assert len(ask("spatial", image(thing("cat", 40, 40), thing("dog", 40, 40 + gap)))) == count

    def test_at_most_twelve_and_the_words_balance(self) -> None:
        crowded = image(*(thing(name, 9 * i, 9 * i) for i, name in enumerate(CATEGORIES)))
        for seed in range(20):
            made = ask("spatial", crowded, seed=seed)
            assert len(made) == 12
            said = Counter(
                word for item in made for word in re.findall("left|right|above|below", item.answer)
            )
            assert said["left"] == said["right"]
            assert said["above"] == said["below"]

    def test_mirrored_picture_gives_the_flipped_instructions(self) -> None:
        objects = [thing("dog", 5, 40), thing("cat", 50, 5), thing("kite", 80, 70)]
        mirrored = [Object(item.category, item.box.flip(100)) for item in objects]
        here, there = ask("spatial", image(*objects)), ask("spatial", image(*mirrored))
        flipped = flip(Conversation("a.jpg", 100, 100, tuple(here)))
        assert set(flipped.instructions) == set(there)
        assert set(here) != set(there)


class TestCaption:
    def test_one_per_caption_and_five_at_most(self) -> None:
        texts = tuple(f"Caption {i}." for i in range(7))
        made = ask("caption", image(captions=texts))
        assert [item.answer for item in made] == list(texts[:5])
        assert questions("caption", image(captions=texts)) == set(CAPTION_PROMPTS)

    def test_none_without_captions(self) -> None:
        assert ask("caption", FULL) == []


class TestCategory:
    def test_largest_first_each_once(self) -> None:
        picture = image(
            thing("dog", 0, 0, 5), thing("cat", 0, 0, 9), thing("dog", 0, 0, 20), thing("cup", 0, 0)
        )
        (item,) = ask("category", picture)
        assert (item.question, item.answer) == ("What objects are in this image?", "dog, cup, cat")

    def test_none_where_not_everything_was_looked_for(self) -> None:
        assert ask("category", replace(image(DOG), absent=("cat",))) == []

    def test_none_where_something_has_no_box(self) -> None:
        assert ask("category", replace(image(DOG), not_exhaustive=("cat",))) == []
        (item,) = ask("category", replace(image(DOG), not_exhaustive=("dog",)))
        assert item.answer == "dog"

    def test_crowds_are_named(self) -> None:
        (item,) = ask("category", image(thing("chair", 0, 0, crowd=True)))
        assert item.answer == "chair"


def test_presence_asks_about_as_many_present_as_absent():
    image = AnnotatedImage(
        1,
        "1.jpg",
        100,
        100,
        (
            Object("dog", Box(0, 0, 10, 10)),
            Object("dog", Box(20, 0, 60, 40)),
            Object("cat", Box(0, 0, 5, 5), crowd=True),
        ),
    )
    made = objectives.get("presence").ask(
        image, QuestionContext(("dog", "cat", "bird")), random.Random(0)
    )
    assert [item.answer.split(",")[0] for item in made] == ["Yes", "No"]
    assert made[0].locations == (Box(20, 0, 60, 40),)
    assert made[0].evidence == (Box(0, 0, 10, 10), Box(20, 0, 60, 40))
    assert "bird" in made[1].question


def test_presence_does_not_ask_about_a_crowd() -> None:
    things = (thing("dog", 0, 0), thing("dog", 50, 50, crowd=True), thing("cat", 20, 20))
    for seed in range(20):
        made = ask("presence", image(*things), seed=seed)
        assert [item.category for item in made if item.locations] == ["cat"]
        assert all(item.category != "dog" for item in made)


def test_presence_does_not_ask_about_what_may_have_no_box() -> None:
    for seed in range(9):
        made = ask("presence", replace(FULL, not_exhaustive=("dog",)), seed=seed)
        assert made
        assert "dog" not in {item.category for item in made}
