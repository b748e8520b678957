"""Whole runs on official files: an oracle is right everywhere, in words and by choice."""

import json

import pytest
from PIL import Image

from locvlm.evaluation import runner, tasks
from locvlm.evaluation.questions.ade20k import NAMES
from tests.evaluation.conftest import Scripted
from tests.evaluation.tasks import official

BLACK = (0, 0, 0)  # what the picture is filled with
CHOSEN = {"yes-rate", "strict yes-rate", "true-rate", "neither", "strict neither"}  # no hits


def pope(folder):
    rows = [
        {"question_id": 1, "image": "a.jpg", "text": "Is there a dog?", "label": "yes"},
        {"question_id": 2, "image": "a.jpg", "text": "Is there a cat?", "label": "no"},
    ]
    return "questions", official.lines(folder / "coco_pope_random.json", rows), "a.jpg"


def vsr(folder):
    rows = [
        {"image": "a.jpg", "caption": "The cat is on it.", "label": 1, "relation": "on"},
        {"image": "a.jpg", "caption": "The cat is in it.", "label": 0, "relation": "in"},
    ]
    return "questions", official.lines(folder / "test.jsonl", rows), "a.jpg"


def whatsup(folder):
    path = folder / "coco_qa_two_obj.json"
    path.write_text(json.dumps([[7, "A cat above a dog", "A cat below a dog"]]))
    return "questions", path, "000000000007.jpg"


def hal_act(folder):
    row = {"video": "a.gif", "present": ["dog", "cat"], "absent": ["bus", "cup"]}
    return "annotations", official.lines(folder / "labels.jsonl", [row]), "a.gif"


def hal_ade(folder):
    maps = folder / "validation"
    maps.mkdir()
    image = Image.new("L", (8, 6), NAMES.index("wall") + 1)
    image.putpixel((0, 0), NAMES.index("sky") + 1)
    image.save(maps / "a.png")
    return "annotations", maps, "a.jpg"


@pytest.mark.parametrize("way", ["generate", "choice"])
@pytest.mark.parametrize("make", [pope, vsr, whatsup, hal_act, hal_ade])
def test_an_oracle_is_right_everywhere(make, way, tmp_path):
    task = make.__name__.replace("_", "-")
    flag, path, picture = make(tmp_path)
    seen = official.pictures(tmp_path / "seen", picture)
    sources = official.sources(task, {flag: path}, seen)
    asked = tasks.load(task, sources, seed=0, options={})
    answers = {question.instruction.question: question.instruction.answer for question in asked}
    model = Scripted({BLACK: answers}, lambda question, ideal: ideal)
    model.frames = 2 if tasks.get(task).card.clips else None
    result = runner.evaluate(model, task, sources, tmp_path / "out", method=way)
    assert result["questions"] == len(asked) > 0
    figures = {name: score for name, score in result["scores"].items() if name not in CHOSEN}
    assert {score["value"] for score in figures.values() if score["n"]} == {1}
