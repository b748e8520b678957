"""Asking again by what a data set on disk was built by."""

import json
from pathlib import Path
from typing import Any

import pytest

from locvlm.geometry import Box
from locvlm.instructions.build import QuestionOptions, ask_about_image
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.dataset import read_dataset, read_manifest, read_objects
from locvlm.instructions.filters import ObjectLimits
from locvlm.instructions.objectives import names
from locvlm.instructions.rebuild import rebuild_plan

KINDS = ["dog", "cat", "cup", "bus", "car", "tree"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """Annotations of eight pictures, their captions, and templates."""
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 100, "height": 80} for i in range(8)]
    boxes = [
        {
            "id": 10 * i + n,
            "image_id": i,
            "category_id": (i + n * n) % 4 + 1,
            "bbox": [12 * n, 7 * n + i, 4 * n + 6, 20 + n],
            "area": 1,
            "iscrowd": int(i == n == 3),
        }
        for i in range(8)
        for n in range(i % 5 + 1)
    ]
    kinds = [{"id": i, "name": name} for i, name in enumerate(KINDS, 1)]
    said = [{"id": i, "image_id": i, "caption": f"Picture {i}."} for i in range(8)]
    paths = {}
    for name, document in (
        ("annotations", {"images": images, "annotations": boxes, "categories": kinds}),
        ("captions", {"images": images, "annotations": said}),
        ("templates", {"locpred": {"prompts": ["Where is the {category}?"]}}),
    ):
        paths[name] = tmp_path / f"{name}.json"
        paths[name].write_text(json.dumps(document))
    return paths


def build(files: dict[str, Any], out: Path, **settings: Any) -> None:
    limits = {
        name: settings.pop(name) for name in ("min_area", "max_area", "edge") if name in settings
    }
    settings.setdefault("unboxed", True)
    questions = QuestionOptions(tuple(names()), limits=ObjectLimits(**limits), **settings)
    options = BuildOptions(
        find_images=False,
        questions=questions,
        captions=files["captions"],
        templates=files["templates"],
    )
    build_from_files(files["annotations"], None, out, options)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"seed": 7, "location": "both", "spatial": ("edge", "count")},
        {"negatives": "popular", "min_area": 0.02, "max_area": 0.08, "edge": 3.0},
        {"negatives": "adversarial", "per_category": 3},
        {"unboxed": False},
        {"absences": (1, 2)},
    ],
)
def test_by_the_same_seed_the_same_is_asked(
    files: dict[str, Any], tmp_path: Path, settings: dict[str, Any]
) -> None:
    build(files, tmp_path / "data", **settings)
    manifest = read_manifest(tmp_path / "data")
    data = read_objects(tmp_path / "data")
    plan = rebuild_plan(manifest, data)
    built = {item.image: item.instructions for item in read_dataset(tmp_path / "data")}
    asked = {i.file_name: ask_about_image(plan, i, manifest.seed, names()) for i in data.images}
    assert {name: items for name, items in asked.items() if items} == built
    some = {i.file_name: ask_about_image(plan, i, manifest.seed, ["revloc"]) for i in data.images}
    for name, items in some.items():
        assert list(items) == [item for item in built[name] if item.objective == "revloc"]


def test_another_seed_asks_something_else(files: dict[str, Any], tmp_path: Path) -> None:
    build(files, tmp_path / "data")
    manifest = read_manifest(tmp_path / "data")
    data = read_objects(tmp_path / "data")
    plan = rebuild_plan(manifest, data)
    image = data.images[4]
    assert len({ask_about_image(plan, image, seed, ["negpred"]) for seed in range(9)}) > 5
    where = {item.locations for item in ask_about_image(plan, image, 9, ["locpred"])}
    assert where == {item.locations for item in ask_about_image(plan, image, 8, ["locpred"])}
    assert all(isinstance(place, Box) for places in where for place in places)


def test_balanced_questions_stay_balanced(files: dict[str, Any], tmp_path: Path) -> None:
    """By other seeds other pictures are asked, about as often."""
    build(files, tmp_path / "data", per_category=2)
    manifest = read_manifest(tmp_path / "data")
    data = read_objects(tmp_path / "data")
    plan = rebuild_plan(manifest, data)
    runs = [
        [ask_about_image(plan, i, seed, ["negpred"]) for i in data.images] for seed in range(200)
    ]
    asked = sum(len(items) for run in runs for items in run) / len(runs)
    assert asked == pytest.approx(manifest.counts["negpred"], rel=0.25)
    assert len({tuple(map(len, run)) for run in runs}) > 50


def test_the_files_that_it_was_built_from_are_not_needed(
    files: dict[str, Any], tmp_path: Path
) -> None:
    build(files, tmp_path / "data", negatives="adversarial")
    for path in files.values():
        path.unlink()
    data = read_objects(tmp_path / "data")
    plan = rebuild_plan(read_manifest(tmp_path / "data"), data)
    built = {item.image: item.instructions for item in read_dataset(tmp_path / "data")}
    asked = {i.file_name: ask_about_image(plan, i, 0, names()) for i in data.images}
    assert {name: items for name, items in asked.items() if items} == built
    locpred = [i for items in built.values() for i in items if i.objective == "locpred"]
    assert all(item.question.startswith("Where is the ") for item in locpred)  # our template
