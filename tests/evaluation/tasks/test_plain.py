"""Plain questions and captions: in no words of the training, and strictly read."""

from importlib import import_module

import pytest

from locvlm.evaluation import tasks
from locvlm.evaluation.task import AnswerContext, Question
from locvlm.evaluation.tasks import plain_captions, plain_questions
from locvlm.instructions import objectives
from locvlm.instructions.base import Instruction

UNKNOWN = AnswerContext(None, None, ())


def ask(task, expected, kind="", accepted=()):
    meta = {"type": kind, "category": "dog"}
    instruction = Instruction("", "?", expected)
    return Question("1", "1.png", (9, 9), instruction, expected, meta, (), accepted)


def test_no_training_asks_in_these_words():
    ours = {*plain_questions.PROMPTS.values(), plain_captions.PROMPT}
    for name in objectives.names():
        module = import_module(f"locvlm.instructions.objectives.{name}")
        assert not ours.intersection(getattr(module, "PROMPTS", ()))


def test_three_questions_about_each_picture(annotations):
    asked = plain_questions.make_questions(annotations, seed=0, options={})
    third = [question for question in asked if question.image == "3.png"]
    assert [(q.meta["type"], q.expected) for q in third] == [
        ("yes or no", "yes"),
        ("yes or no", "no"),
        ("how many", "1"),
    ]
    assert third[0].instruction.question == "Answer yes or no: does cat appear in this photo?"
    second = [q for q in asked if q.image == "two/2.png" and q.meta["type"] == "how many"]
    assert second[0].meta["category"] != "sofa"  # a crowd is not counted


@pytest.mark.parametrize(
    ("kind", "expected", "answer", "hit", "clear"),
    [
        ("yes or no", "yes", "Yes.", True, True),
        ("yes or no", "yes", "It is at 1, 2, 3, 4", False, False),
        ("yes or no", "no", "No, there is none.", True, True),
        ("yes or no", "no", "Yes and no", False, False),
        ("yes or no", "yes", "", False, False),
        ("how many", "2", "There are two dogs.", True, True),
        ("how many", "2", "2", True, True),
        ("how many", "2", "1 or 2", False, False),
        ("how many", "2", "some", False, False),
    ],
)
def test_an_answer_must_be_clear(kind, expected, answer, hit, clear):
    outcome = plain_questions.score(ask("plain-questions", expected, kind), answer, UNKNOWN)
    assert (outcome.hit, outcome.values["clear"]) == (hit, clear)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("A dog runs on the grass.", None),
        ("", "empty"),
        ("A dog (0.1, 0.2, 0.3, 0.4)", "with coordinates"),
        ("There is no such object in the image", "refusals"),
        ("a dog a dog a dog", "repetitions"),
    ],
)
def test_what_spoils_a_caption(answer, fault):
    outcome = plain_captions.score(ask("plain-captions", ""), answer, UNKNOWN)
    assert outcome.hit is (fault is None)
    assert [name for name in plain_captions.FAULTS if outcome.values[name]] == [fault] * bool(fault)


def test_captions_of_the_data_are_a_hint(annotations):
    question = ask("plain-captions", "", accepted=("a dog runs", "a cat"))
    outcome = plain_captions.score(question, "A dog runs.", UNKNOWN)
    assert outcome.values["words shared"] == 1
    asked = plain_captions.make_questions(annotations, seed=0, options={})
    assert len(asked) == 3


def test_scores_of_nothing():
    for name in ("plain-questions", "plain-captions"):
        assert tasks.get(name).summarize([], seed=0)
