import json
from pathlib import Path

import msgspec
import pytest

from locvlm import cli, coordinates

COCO = {
    "images": [{"id": 7, "file_name": "7.jpg", "width": 200, "height": 100}],
    "categories": [{"id": n, "name": name} for n, name in enumerate(["dog", "cat", "cup", "hat"])],
    "annotations": [
        {"id": n, "image_id": 7, "category_id": n, "bbox": [10 + 100 * n, 20, 50, 50]}
        for n in (0, 1)
    ],
}
# With a picture in which the other categories are, so that all were looked for.
WITH_ANOTHER = COCO | {
    "images": [*COCO["images"], {"id": 8, "file_name": "8.jpg", "width": 200, "height": 100}],
    "annotations": [
        *COCO["annotations"],
        *({"id": n, "image_id": 8, "category_id": n, "bbox": [10, 20, 50, 50]} for n in (2, 3)),
    ],
}


def asked(folder: Path, task: str, *options: str) -> list[dict]:
    (folder / "coco.json").write_text(json.dumps(WITH_ANOTHER if task == "hal-coco" else COCO))
    out = folder / "questions.jsonl"
    arguments = ["--annotations", str(folder / "coco.json"), "--out", str(out), *options]
    assert cli.main(["questions", task, *arguments]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_prompts_without_locations(tmp_path: Path) -> None:
    rows = asked(tmp_path, "hal-coco")
    assert [row["id"] for row in rows[:2]] in (["7/dog", "7/cat"], ["7/cat", "7/dog"])
    assert rows[0]["choices"] == ["Yes", "No"]
    assert rows[0]["prompt"].startswith("Is there ")


def test_prompts_with_locations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = asked(tmp_path, "describe", "--format", "qwen3-vl")
    assert first == {
        "id": "7/0/dog",
        "image": "7.jpg",
        "prompt": 'Describe the object located at {"bbox_2d": [50, 200, 300, 700]}?',
        "coordinates": {"format": "qwen3-vl", "options": {}},
        "frame": json.loads(msgspec.json.encode(coordinates.get("qwen3-vl").frame((200, 100)))),
    }
    arguments = ["--annotations", str(tmp_path / "coco.json"), "--out", str(tmp_path / "no.jsonl")]
    assert cli.main(["questions", "describe", *arguments]) == 2
    assert "give --format NAME" in capsys.readouterr().err
    assert not (tmp_path / "no.jsonl").exists()


def test_answered_elsewhere_and_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = asked(tmp_path, "hal-coco", "--seed", "3")
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(json.dumps({"id": row["id"], "prediction": "Yes"}) for row in rows))
    capsys.readouterr()
    arguments = ["--annotations", str(tmp_path / "coco.json"), "--predictions", str(path)]
    assert cli.main(["score", "hal-coco", *arguments, "--seed", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scores"]["accuracy"]["value"] == 0.5


def test_boxes_of_another_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = {"width": 640, "height": 480}
    corners = [(300 + 5 * i, 200, 460 + 5 * i, 400) for i in range(8)]
    tree = {
        "images": [{"id": i, "file_name": f"{i}.jpg", **size} for i in range(8)],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": box} for i, box in enumerate(corners)
        ],
        "categories": [{"id": 1, "name": "box"}],
    }
    path, out = tmp_path / "a.json", tmp_path / "q.jsonl"
    path.write_text(json.dumps(tree))
    command = ["questions", "locate", "--annotations", str(path), "--out", str(out)]
    command += ["--format", "qwen3-vl"]
    assert cli.main(command) == 2
    assert "--boxes xyxy reads them so" in capsys.readouterr().err
    assert cli.main([*command, "--boxes", "xyxy"]) == 0
    assert len(out.read_text().splitlines()) == 8
    assert cli.main(["questions", "vqav2", *command[2:], "--boxes", "xyxy"]) == 2
    assert "task vqav2 reads no boxes of a data set; leave --boxes out" in capsys.readouterr().err
