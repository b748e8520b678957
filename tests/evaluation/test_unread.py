"""Answers that were not read are said, not only scored as wrong."""

import json
from pathlib import Path

import pytest
from PIL import Image

from locvlm import coordinates
from locvlm.evaluation.scoring import score
from locvlm.evaluation.task import Sources

RIGHT = '{"bbox_2d": [100, 100, 300, 300]}'


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    (tmp_path / "images").mkdir()
    images, boxes = [], []
    for number in range(1, 6):
        name = f"{number}.png"
        Image.new("RGB", (100, 100)).save(tmp_path / "images" / name)
        images.append({"id": number, "file_name": name, "width": 100, "height": 100})
        boxes.append({"id": number, "image_id": number, "category_id": 1, "bbox": [10, 10, 20, 20]})
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
    (tmp_path / "ann.json").write_text(json.dumps(content))
    return Sources({"annotations": tmp_path / "ann.json"}, tmp_path / "images")


def test_what_was_not_read(sources: Sources, tmp_path: Path) -> None:
    answers = [
        f"<think>No: [600, 600, 900, 900].</think>{RIGHT}",
        "<think>It may be at [100, 100, 300, 300]",
        "<|box_start|>(100,100),(300,300)<|box_end|>",
        "It is at (0.1,0.1,0.3,0.3)",
        RIGHT,
    ]
    rows = [
        {"id": f"{number}/cat", "prediction": answer, "truncated": number == 2}
        for number, answer in enumerate(answers, 1)
    ]
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    result = score("locate", path, sources, coordinates=coordinates.get("qwen3-vl"))
    assert result["scores"]["accuracy at IoU 0.5"]["value"] == pytest.approx(2 / 5)
    assert result["unread_locations"]["answers"] == 2
    assert result["unread_locations"]["examples"][0] == "3/cat: (100,100)"
    assert result["thoughts_alone"] == {"answers": 1, "examples": ["2/cat"]}
    assert result["truncated"] == {"answers": 1, "examples": ["2/cat"]}


def test_nothing_is_said_where_all_was_read(sources: Sources, tmp_path: Path) -> None:
    rows = [{"id": f"{number}/cat", "prediction": RIGHT} for number in range(1, 6)]
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    result = score("locate", path, sources, coordinates=coordinates.get("qwen3-vl"))
    assert not {"unread_locations", "thoughts_alone", "truncated"} & result.keys()


def test_empty_answers_are_said(sources: Sources, tmp_path: Path) -> None:
    rows = [
        {"id": f"{number}/cat", "prediction": " " if number < 3 else RIGHT}
        for number in range(1, 6)
    ]
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    result = score("locate", path, sources, coordinates=coordinates.get("qwen3-vl"))
    assert result["empty"] == {"answers": 2, "examples": ["1/cat", "2/cat"]}
    assert "thoughts_alone" not in result
