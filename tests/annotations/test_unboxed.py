import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from locvlm import annotations
from locvlm.annotations.base import AnnotationSet
from locvlm.commands.build import build as build_command
from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.tasks import hal_coco
from locvlm.instructions.build import QuestionOptions, build
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.dataset import read_manifest
from locvlm.instructions.negatives import NegativeChoice


def read(folder: Path, *kinds: Any) -> AnnotationSet:
    """Three pictures, with a car, a truck and a bus; more categories without a box."""
    names = ["car", "truck", "bus"]
    size = {"width": 100, "height": 80}
    path = folder / "pallets" / "instances.json"
    path.parent.mkdir(exist_ok=True)
    above = {"supercategory": "vehicles"}
    tree = {
        "images": [{"id": i, "file_name": f"{i}.jpg", **size} for i in range(3)],
        "annotations": [
            {"id": i, "image_id": i, "category_id": i, "bbox": [10, 10, 20, 30]} for i in range(3)
        ],
        "categories": [{"id": i, "name": name, **above} for i, name in enumerate(names)]
        + [{"id": 10 + i, "name": name} for i, name in enumerate(kinds)],
    }
    path.write_text(json.dumps(tree))
    return annotations.read("coco", path)


def absent_asked(data: AnnotationSet, **options: Any) -> set[str]:
    questions = QuestionOptions(("negpred", "presence"), **options)
    return {
        item.category
        for row in build(data, questions).conversations
        for item in row.instructions
        if not item.locations and item.category is not None
    }


@pytest.mark.parametrize("negatives", ["random", "popular", "adversarial"])
def test_dummies_are_never_called_absent(tmp_path: Path, negatives: NegativeChoice) -> None:
    dummies = ("vehicles", "__background__", "_background_", "None", "Pallets", "bg")
    data = read(tmp_path, *dummies, "crane")
    assert data.unboxed == (*dummies, "crane")
    assert absent_asked(data, negatives=negatives) == {"car", "truck", "bus"}
    asked = absent_asked(data, negatives=negatives, unboxed=True)
    assert asked == {"car", "truck", "bus", "crane"}
    assert len(data.remarks) == 1
    assert "7 (vehicles, __background__, _background_, None, Pallets…)" in data.remarks[0]


def test_the_way_out_is_one_that_is_there(tmp_path: Path) -> None:
    """All commands that read annotations say it; only these have the option."""
    (remark,) = read(tmp_path, "crane").remarks
    assert "build --unboxed" in remark and "hal-coco with --option unboxed=true" in remark
    assert "unboxed" in inspect.signature(build_command).parameters
    assert "unboxed" in tasks.get("hal-coco").options


def test_categories_that_all_have_boxes_are_not_spoken_of(tmp_path: Path) -> None:
    data = read(tmp_path)
    assert (data.unboxed, data.remarks) == ((), ())
    assert data.sought() == data.categories


def test_a_category_with_boxes_is_no_dummy_whatever_its_name(tmp_path: Path) -> None:
    path = read(tmp_path).source
    tree = json.loads(path.read_text())
    tree["categories"][0]["name"] = "background"
    path.write_text(json.dumps(tree))
    assert "background" in annotations.read("coco", path).sought()


def test_evaluation_asks_about_what_was_looked_for(tmp_path: Path) -> None:
    data = read(tmp_path, "vehicles", "none", "crane")
    questions = hal_coco.make_questions(data, seed=0, options={}).questions
    texts = [item.instruction.question for item in questions]
    assert not any("vehicles" in text or "crane" in text for text in texts)


def test_the_manifest_remembers_it(tmp_path: Path) -> None:
    path = read(tmp_path, "crane").source
    options = BuildOptions(find_images=False, questions=QuestionOptions(unboxed=True))
    build_from_files(path, None, tmp_path / "out", options)
    manifest = read_manifest(tmp_path / "out")
    assert (manifest.ask_unboxed, manifest.unboxed) == (True, ("crane",))
    assert "crane" in manifest.remarks[0]


def test_where_nothing_is_left_the_reasons_are_told(tmp_path: Path) -> None:
    path = read(tmp_path).source
    tree = json.loads(path.read_text())
    for item in tree["annotations"]:
        item["bbox"] = [500, 10, 20, 30]
    path.write_text(json.dumps(tree))
    with pytest.raises(InputError) as caught:
        build_from_files(path, None, tmp_path / "out", BuildOptions(find_images=False))
    assert "boxes outside the picture: 3 (the first: " in str(caught.value)
    assert "annotations[0]" in str(caught.value)
