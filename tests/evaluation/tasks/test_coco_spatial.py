import re
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm import coordinates
from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.task import AnswerContext, ScoredAnswer
from locvlm.evaluation.tasks import coco_spatial
from locvlm.geometry import Box, Frame

READING = AnswerContext(coordinates.get("ivb", bins=224), Frame.identity((1000, 1000)), ())


def asked(*objects, seed=0, **options):
    """Questions about one picture of 1000 x 1000 pixels; objects by category and center."""
    items = tuple(
        Object(name, Box(x - 1, y - 1, x + 1, y + 1), crowd=crowd == [True])
        for name, x, y, *crowd in objects
    )
    image = AnnotatedImage(7, "7.jpg", 1000, 1000, items)
    data = AnnotationSet((image,), ("a", "b"), Path("x.json"))
    options = {**tasks.get("coco-spatial").options, **options}
    return coco_spatial.make_questions(data, seed=seed, options=options)


def expected(questions, axis, form):
    return {
        (q.meta["a"], q.meta["b"]): q.expected
        for q in questions
        if (q.meta["axis"], q.meta["form"]) == (axis, form)
    }


def direct(questions, axis="left-right"):
    return expected(questions, axis, "direct")


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


def test_of_three_each_pair_once_in_the_order_of_the_prompts():
    questions = asked(*THREE, reading="three")
    assert direct(questions) == {("cup", "dog"): "left", ("cup", "cat"): "left"}
    in_context = expected(questions, "left-right", "in-context")
    assert in_context == {("dog", "cup"): "right", ("cat", "cup"): "right"}
    assert len(questions) == 4
    whole = {q.id: q for q in asked(*THREE)}  # they are some of all pairs, in the same words
    assert all(whole[q.id] == q for q in questions)


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        (THREE[1:], "not exactly 3 clear-sided single objects"),
        ((*THREE, ("kite", 950, 500)), "not exactly 3 clear-sided single objects"),
        ((*THREE[:2], ("kite", 350, 500)), "all on one side"),
    ],
)
def test_what_are_no_three(objects, why):
    questions = asked(*objects, reading="three")
    assert len(questions) == 0
    assert questions.skipped[f"left-right: {why}"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reading": "all"}, "option reading: 'all' is unknown; give one of pairs, three"),
        ({"examples": "theirs"}, "option examples: 'theirs' is unknown; give one of ours, paper"),
        ({"reading": "three", "min_objects": 2}, "exactly 3 objects; leave min_objects=2 out"),
    ],
)
def test_options_without_such_a_value(options, message):
    with pytest.raises(InputError, match=message):
        asked(*THREE, **options)


def test_printed_examples_answer_with_what_their_question_names_first():
    questions = asked(*THREE, examples="paper")
    (one,) = [q for q in questions if q.id == "7/left-right/in-context/dog>cup"]
    assert one.instruction.question == (
        "Q: Which side of cup is cat located? A: The cup is located to the right of cat. "
        "Q: Which side of cat is cup located? A: The cat is located to the left of cup. "
        "Q: Which side of dog is cup located?"
    )
    assert one.instruction.answer == "The dog is located to the left of cup."
    assert one.expected == "left"
    assert one.instruction.answer in one.choices
    assert direct(questions) == direct(asked(*THREE))  # direct questions have no examples


def test_printed_examples_above_and_below():
    turned = [(name, y, x) for name, x, y in THREE]
    questions = asked(*turned, examples="paper")
    (one,) = [q for q in questions if q.id == "7/above-below/in-context/dog>cup"]
    assert one.instruction.question == (
        "Q: Is cat above or below cup? A: The cup is located below cat. "
        "Q: Is cup above or below cat? A: The cat is located above cup. "
        "Q: Is cup above or below dog?"
    )
    assert (one.expected, one.instruction.answer) == ("above", "The dog is located above cup.")


def test_printed_examples_are_scored_in_both_ways():
    questions = asked(*THREE, examples="paper")
    (one,) = [q for q in questions if q.id == "7/left-right/in-context/dog>cup"]
    told = coco_spatial.score(one, "The dog is located to the left of cup.", READING)
    assert told.hit
    assert told.values == {"accuracy": True, "strict accuracy": True, "accuracy as asked": False}
    asked_for = coco_spatial.score(one, "Right.", READING)
    assert not asked_for.hit
    assert asked_for.values["accuracy as asked"]
    rows = [
        ScoredAnswer("", "", "", "", one.expected, dict(one.meta), (), o.hit, dict(o.values))
        for o in (told, asked_for)
    ]
    scores = coco_spatial.summarize(rows, seed=0)
    assert scores["left-right/in-context/accuracy"].value == 0.5
    assert scores["left-right/in-context/accuracy as asked"].value == 0.5
    assert "left-right/direct/accuracy as asked" not in scores


PLACE = st.one_of(st.integers(1, 399), st.integers(601, 999), st.integers(395, 605))
PLACES = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), PLACE, PLACE, st.sampled_from([False] * 9 + [True])),
    max_size=8,
)


@given(PLACES, st.sampled_from(["pairs", "three"]), st.sampled_from(["ours", "paper"]))
def test_questions_are_those_of_the_rule(objects, reading, examples):
    """Counted and answered by force: each ordered pair of centers against the rule's words."""
    names = [name for name, *_ in objects]
    single = [o for o in objects if names.count(o[0]) == 1 and not o[3]]
    questions = asked(*objects, reading=reading, examples=examples)
    for axis, place, low, high in (
        ("left-right", 1, "left", "right"),
        ("above-below", 2, "above", "below"),
    ):
        clear = {o[0]: o[place] for o in single if o[place] < 400 or o[place] > 600}
        opposite = {
            (a, b): high if clear[b] > clear[a] else low
            for a, b in permutations(clear, 2)
            if (clear[a] < 400) != (clear[b] < 400)
        }
        alone = {a for a, b in opposite if sum(x == a for x, _ in opposite) == 2}
        if len(clear) < 3 or (reading == "three" and len(clear) > 3):
            opposite = {}
        if reading == "three":
            wanted = {pair: word for pair, word in opposite.items() if pair[0] in alone}
            in_context = {pair: word for pair, word in opposite.items() if pair[1] in alone}
        else:
            wanted = opposite
            in_context = {
                (a, b): word
                for (a, b), word in opposite.items()
                if any(x != a and y == b for x, y in opposite)
            }
        assert expected(questions, axis, "direct") == wanted
        if examples == "paper":
            in_context = {pair: low if word == high else high for pair, word in in_context.items()}
        assert expected(questions, axis, "in-context") == in_context


@given(PLACES, st.sampled_from(["ours", "paper"]))
def test_all_that_is_told_is_true(objects, examples):
    """Each sentence of the examples and each right answer, against the centers."""
    places = {name: (x, y) for name, x, y, _ in objects}
    pattern = re.compile(r"The (\w) is located (?:to the )?(left|right|above|below) (?:of )?(\w)\.")
    for question in asked(*objects, examples=examples):
        told = pattern.findall(question.instruction.question + question.instruction.answer)
        assert len(told) == (3 if question.meta["form"] == "in-context" else 1)
        for one, word, other in told:
            place = 0 if word in ("left", "right") else 1
            before = places[one][place] < places[other][place]
            assert before == (word in ("left", "above"))


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


def test_many_objects_give_bounded_pairs():
    """Drawn by the seed; a larger bound asks the questions of the smaller one, too."""
    objects = [(f"thing {i}", 100 if i % 2 else 900, 500) for i in range(24)]
    every, many, few = (asked(*objects, max_pairs=most) for most in (1000, 100, 30))
    assert [len(direct(of)) for of in (every, many, few)] == [288, 100, 30]
    worded = [{(q.id, q.instruction.question) for q in of} for of in (few, many, every)]
    assert worded[0] < worded[1] < worded[2]
    assert sum(few.skipped.values()) == 2  # more than was asked; nothing above or below
    assert direct(asked(*objects, max_pairs=30, seed=1)) != direct(few)
    assert direct(asked(*objects[:8])).keys() == direct(asked(*objects[:8], max_pairs=999)).keys()
    with pytest.raises(InputError, match="max_pairs must be a whole number of at least 1, not 0"):
        asked(*objects, max_pairs=0)
