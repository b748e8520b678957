from pathlib import Path

import pytest

from locvlm import coordinates
from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.errors import InputError
from locvlm.evaluation.task import AnswerContext
from locvlm.evaluation.tasks import coco_spatial
from locvlm.geometry import Box, Frame

READING = AnswerContext(coordinates.get("ivb", bins=224), Frame.identity((1000, 1000)), ())


def asked(*objects, min_objects=3, seed=0):
    """Questions about one picture of 1000 x 1000 pixels; objects by category and center."""
    items = tuple(
        Object(name, Box(x - 1, y - 1, x + 1, y + 1), crowd=bool(crowd))
        for name, x, y, *crowd in objects
    )
    image = AnnotatedImage(7, "7.jpg", 1000, 1000, items)
    data = AnnotationSet((image,), ("a", "b"), Path("x.json"))
    return coco_spatial.make_questions(data, seed=seed, options={"min_objects": min_objects})


def direct(questions, axis="left-right"):
    return {
        (q.meta["a"], q.meta["b"]): q.expected
        for q in questions
        if (q.meta["axis"], q.meta["form"]) == (axis, "direct")
    }


THREE = (("dog", 100, 500), ("cat", 300, 500), ("cup", 900, 500))


def test_no_objects_no_questions():
    questions = asked()
    assert len(questions) == 0
    assert sum(questions.skipped.values()) == 2  # the picture, on either axis


def test_each_ordered_pair_on_opposite_sides():
    assert direct(asked(*THREE)) == {
        ("dog", "cup"): "right",
        ("cat", "cup"): "right",
        ("cup", "dog"): "left",
        ("cup", "cat"): "left",
    }


def test_above_is_the_smaller_y():
    turned = [(name, y, x) for name, x, y in THREE]
    questions = asked(*turned)
    assert direct(questions, "above-below")["cup", "dog"] == "above"
    assert direct(questions, "left-right") == {}


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        ((("dog", 100, 500), ("cup", 900, 500)), "fewer than 3 clear-sided single objects"),
        ((*THREE[:2], ("kite", 399, 500)), "all on one side"),
        ((*THREE[:2], ("cup", 600, 500)), "fewer than 3 clear-sided single objects"),  # a border
        ((("cat", 400, 500), *THREE[:1], THREE[2]), "fewer than 3 clear-sided single objects"),
        ((*THREE[:2], ("dog", 900, 500)), "fewer than 3 clear-sided single objects"),
        ((*THREE[:2], ("cup", 900, 500, True)), "fewer than 3 clear-sided single objects"),
    ],
)
def test_what_gives_no_question(objects, why):
    questions = asked(*objects)
    assert direct(questions) == {}
    assert questions.skipped[f"left-right: {why}"] == 1


def test_two_objects_are_enough_if_so_wanted():
    two = THREE[0], THREE[2]
    assert len(asked(*two, min_objects=2)) == 2  # direct ones only: there is no third object
    for wrong in (1, 0, 2.5):
        with pytest.raises(InputError, match="min_objects must be a whole number of at least 2"):
            asked(*two, min_objects=wrong)


def test_prompts():
    left_right = {q.id: q.instruction for q in asked(*THREE)}
    above_below = {q.id: q.instruction for q in asked(*[(n, y, x) for n, x, y in THREE])}
    one = left_right["7/left-right/direct/dog>cup"]
    assert one.question == "Which side of dog is cup located?"
    assert one.answer == "The cup is located to the right of dog."
    one = above_below["7/above-below/direct/dog>cup"]
    assert one.question == "Is cup above or below dog?"
    assert one.answer == "The cup is located below dog."


def test_in_context_examples_are_true_and_answer_like_the_question():
    (one,) = [q for q in asked(*THREE) if q.id == "7/left-right/in-context/dog>cup"]
    assert one.instruction.question == (
        "Q: Which side of cup is cat located? A: The cat is located to the left of cup. "
        "Q: Which side of cat is cup located? A: The cup is located to the right of cat. "
        "Q: Which side of dog is cup located?"
    )
    assert one.expected == "right"


def test_in_context_needs_a_companion():
    pairs = {(q.meta["a"], q.meta["b"]) for q in asked(*THREE) if q.meta["form"] == "in-context"}
    assert pairs == {("dog", "cup"), ("cat", "cup")}


def test_companions_are_drawn_by_seed():
    many = [(f"thing {i}", 10 * i, 500) for i in range(1, 30)] + [("cup", 900, 500)]
    texts = [[q.instruction.question for q in asked(*many, seed=seed)] for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize(
    ("answer", "paper", "strict"),
    [
        ("The cup is located to the right of dog.", True, True),
        ("RIGHT", True, True),
        ("left", False, False),
        ("", False, False),
        ("Either left or right.", True, False),
        ("It is in a bright, upright place.", False, False),
        ("To the right. Q: Which side of cup is dog located? A: left", True, True),
        ("Q: right", False, False),
    ],
)
def test_scores(answer, paper, strict):
    (question,) = [q for q in asked(*THREE) if q.id == "7/left-right/direct/dog>cup"]
    outcome = coco_spatial.score(question, answer, READING)
    assert outcome.values == {"accuracy": paper, "strict accuracy": strict}
    assert outcome.hit == strict


def test_nothing_to_sum_up():
    scores = coco_spatial.summarize([], seed=0)
    assert len(scores) == 2 * 2 * 2 * 3
    assert all(score.n == 0 and score.value is None for score in scores.values())
