import json
import pickle

import pytest

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.scoring import score
from locvlm.evaluation.task import Sources
from locvlm.evaluation.tasks import refcoco_box


@pytest.fixture
def references(tmp_path):
    """Two objects of 20 x 20 pixels in a picture of 100 x 100, the second in two splits' sum."""
    refs = [
        {
            "ref_id": number,
            "ann_id": number,
            "image_id": 7,
            "split": split,
            "sentences": [
                {"sent_id": 10 * number + i, "sent": text} for i, text in enumerate(texts)
            ],
        }
        for number, (split, texts) in enumerate(
            (("val", ("left dog", "the dog")), ("test", ("cat",)))
        )
    ]
    tree = {
        "images": [{"id": 7, "file_name": "7.jpg", "width": 100, "height": 100}],
        "annotations": [
            {"id": number, "image_id": 7, "category_id": 1, "bbox": [40 * number, 10, 20, 20]}
            for number in range(2)
        ],
        "categories": [{"id": 1, "name": "dog"}],
    }
    (tmp_path / "instances.json").write_text(json.dumps(tree))
    path = tmp_path / "refs(umd).p"
    path.write_bytes(pickle.dumps(refs))
    return path


def write(path, answers):
    file = path.parent / "answers.jsonl"
    rows = [json.dumps({"question_id": n, "answer": text}) for n, text in answers.items()]
    file.write_text("\n".join(rows))
    return file


def test_one_question_per_sentence(references):
    asked = tasks.load(
        "refcocog-box", Sources({"references": references}), seed=0, options={"split": "val,test"}
    )
    assert [question.id for question in asked] == ["0", "1", "10"]
    first = asked.questions[0]
    assert first.instruction.question == (
        "Where is the object described left dog located in image in terms of {repr}?"
    )
    assert (first.expected, first.meta) == ("0,10,20,30", {"split": "val"})


def test_answers_of_another_tool(references):
    answers = {0: "(0,10,20,30)", 1: "no idea", 10: "[40, 10, 60, 20]"}
    found = score(
        "refcocog-box",
        write(references, answers),
        Sources({"references": references}),
        coordinates=coordinates.get("ivb", bins=100),
    )["scores"]
    assert {name: (one["value"], one["n"]) for name, one in found.items()} == {
        "val/mean IoU": (0.5, 2),
        "val/accuracy at IoU 0.5": (0.5, 2),
        "val/parse rate": (0.5, 2),
        "val/not there rate": (0, 2),
        "val/unparsed rate": (0.5, 2),
        "test/mean IoU": (0.5, 1),
        "test/accuracy at IoU 0.5": (1, 1),
        "test/parse rate": (1, 1),
        "test/not there rate": (0, 1),
        "test/unparsed rate": (0, 1),
    }
    beside = {name for name in found if name.endswith(("not there rate", "unparsed rate"))}
    assert set(found) - beside <= set(refcoco_box.TASKS[2].headlines)


def test_the_format_must_be_known(references):
    with pytest.raises(InputError, match="give --format"):
        score(
            "refcocog-box",
            write(references, dict.fromkeys((0, 1, 10), "(0,10,20,30)")),
            Sources({"references": references}),
        )


def test_names():
    names = tuple(task.name for task in refcoco_box.TASKS)
    assert names == ("refcoco-box", "refcoco+-box", "refcocog-box")
