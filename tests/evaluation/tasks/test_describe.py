import pytest

from locvlm.annotations.wording import synonyms_of
from locvlm.evaluation.task import AnswerContext
from locvlm.evaluation.tasks import describe
from locvlm.evaluation.tasks.describe import mentions
from locvlm.geometry import Box
from locvlm.instructions.objectives import revloc

NAMES = ("dog", "hot dog", "cat", "person", "dining table", "tie", "t.v")


def test_every_object_but_crowds(annotations):
    questions = describe.make_questions(annotations, seed=0, options={})
    assert [q.expected for q in questions if q.image == "two/2.png"] == [
        *("person", "hot dog", "kite", "dog", "dog"),
    ]
    assert questions.skipped == {}


def test_the_prompt_has_the_box(annotations):
    question = next(iter(describe.make_questions(annotations, seed=0, options={})))
    assert question.instruction.question in revloc.PROMPTS
    assert question.instruction.locations == (Box(40, 30, 80, 70),)
    assert question.instruction.answer == "There is a dog."


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", set()),
        ("There is a dog.", {"dog"}),
        ("DOG", {"dog"}),
        ("A hot dog.", {"hot dog"}),
        ("A hot  Dog and a dog", {"hot dog", "dog"}),
        ("a dogma, a hotdog, a necktie, a dog_2", set()),
        ("a dining\ntable", {"dining table"}),
        ("a table for dining", set()),
        ("a t.v, not a tuv", {"t.v"}),
        ("a person with a tie", {"person", "tie"}),
    ],
)
def test_mentions(text, named):
    assert mentions(text, NAMES) == named


def test_no_categories_no_mentions():
    assert mentions("a dog", ()) == set()


@pytest.mark.parametrize(
    ("answer", "named", "strict"),
    [
        ("There is a dog.", True, True),
        ("A dog, a dog!", True, True),
        ("A dog beside a cat", True, False),
        ("A hot dog", False, False),
        ("An animal", False, False),
    ],
)
def test_scores(annotations, answer, named, strict):
    question = next(iter(describe.make_questions(annotations, seed=0, options={})))
    reading = AnswerContext(None, None, annotations.categories)  # type: ignore[arg-type]
    outcome = describe.score(question, answer, reading)
    assert outcome.values == {"accuracy": named, "strict accuracy": strict}
    assert outcome.hit == strict


def test_nothing_to_sum_up():
    assert list(describe.summarize([], seed=0)) == ["accuracy", "strict accuracy"]


def test_synonyms_are_right_and_others_count_against(annotations):
    names = {"def_01": ("dog", "hound", "puppy"), "def_02": ("cat", "kitten")}
    question = next(iter(describe.make_questions(annotations, seed=0, options={})))
    context = AnswerContext(None, None, NAMES, synonyms_of(names))
    for answer, right, strict in (
        ("A hound.", True, True),
        ("A puppy, that is a dog", True, True),
        ("A hound and a kitten", True, False),
        ("A kitten", False, False),
    ):
        outcome = describe.score(question, answer, context)
        assert outcome.values == {"accuracy": right, "strict accuracy": strict}
