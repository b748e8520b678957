import json
import pickle

import pytest

from locvlm.evaluation import tasks
from locvlm.evaluation.intervals import Score
from locvlm.evaluation.metrics import captions
from locvlm.evaluation.task import AnswerContext, ScoredAnswer, Sources
from locvlm.evaluation.tasks import refcoco
from locvlm.geometry import Box

NAMES = ("refcoco", "refcoco+", "refcocog")


@pytest.fixture
def references(tmp_path):
    """A file with one object in each split; boxes are 20 x 20 in a picture of 60 x 40."""
    splits = ("train", "val", "test", "testA", "testB")
    refs = [
        {
            "ref_id": number,
            "ann_id": number,
            "image_id": 7,
            "split": split,
            "sentences": [
                {"sent_id": 10 * number + place, "sent": text}
                for place, text in enumerate(("left dog", "dog in the snow"))
            ],
        }
        for number, split in enumerate(splits)
    ]
    boxes = [
        {"id": number, "image_id": 7, "category_id": 1, "bbox": [number, 5, 20, 20]}
        for number in range(len(splits))
    ]
    image = {"id": 7, "file_name": "COCO_train2014_000000000007.jpg", "width": 60, "height": 40}
    tree = {
        "images": [image],
        "annotations": boxes,
        "categories": [{"id": 1, "name": "dog"}],
    }
    (tmp_path / "instances.json").write_text(json.dumps(tree))
    path = tmp_path / "refs(unc).p"
    path.write_bytes(pickle.dumps(refs))
    return path


def load(name, path, **options):
    task = tasks.get(name)
    settings = tasks.resolve_options(task, options)
    return tasks.load(name, Sources({"references": path}), seed=0, options=settings)


@pytest.mark.parametrize(
    ("name", "ids"), [("refcoco", ["4"]), ("refcoco+", ["4"]), ("refcocog", ["1", "2"])]
)
def test_the_splits_of_the_paper(name, ids, references):
    assert [question.id for question in load(name, references)] == ids


def test_one_question_per_object(references):
    [question] = load("refcoco", references, split="testA")
    assert (
        question.instruction.question == refcoco.PROMPT == "Describe the object located at {loc}?"
    )
    assert question.instruction.locations == (Box(3, 5, 23, 25),)
    assert question.accepted == ("left dog", "dog in the snow")
    assert question.expected == "left dog / dog in the snow"
    assert (question.size, question.meta) == ((60, 40), {"split": "testA"})


@pytest.mark.parametrize(
    ("answer", "hit"),
    [
        ("There is a left dog.", True),
        ("a DOG, sitting in the white snow", True),
        ("There is a dog.", False),
        ("leftdog", False),
        ("", False),
    ],
)
def test_hits_are_for_looking_at(answer, hit, references):
    [question] = load("refcoco", references)
    outcome = refcoco.TASKS[0].score(question, answer, AnswerContext(None, None, ()))
    assert (outcome.hit, outcome.values) == (hit, {})


def test_splits_are_scored_apart_with_all_references(monkeypatch):
    seen = {}

    def scores(corpora, *, seed):
        seen.update(corpora, seed=seed)
        return {f"{split}/METEOR": Score(0.5, 0, 1, len(corpora[split])) for split in corpora}

    monkeypatch.setattr(captions, "scores", scores)
    rows = [
        ScoredAnswer(
            "1", "", "", "a dog", "", {"split": "val"}, (), True, {}, accepted=("dog", "a dog")
        ),
        ScoredAnswer("2", "", "", "a cat", "", {"split": "test"}, (), True, {}, accepted=("cat",)),
        ScoredAnswer("3", "", "", "", "", {"split": "val"}, (), False, {}, accepted=("cup",)),
    ]
    found = refcoco.TASKS[2].summarize(rows, seed=3)
    assert seen == {
        "val": [("a dog", ("dog", "a dog")), ("", ("cup",))],
        "test": [("a cat", ("cat",))],
        "seed": 3,
    }
    assert set(found) <= set(refcoco.TASKS[2].headlines)


@pytest.mark.parametrize("task", refcoco.TASKS)
def test_nothing_to_sum_up(task):
    assert task.summarize([], seed=0) == {}


def test_names():
    assert tuple(task.name for task in refcoco.TASKS) == NAMES
