"""A small instruction data set with everything a recipe needs, on the small model."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locvlm.instructions.build import QuestionOptions
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.models import tiny

CATEGORIES = ["dog", "cat", "person"]


@pytest.fixture
def small_run(small_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe with all kinds of stages over six noisy pictures; it writes into tmp_path/out."""
    monkeypatch.setattr(tiny, "base_folder", lambda: small_base)
    monkeypatch.chdir(tmp_path)
    _write_data(tmp_path)
    recipe = tmp_path / "small.yaml"
    recipe.write_text(
        """\
model: tiny-base
data: [data]
out: out
options: {bins: 56}
lora: {rank: 2, alpha: 2}
save_steps: 2
stages:
  naming: {trains: naming, steps: 3, images: 2}
  captions: {trains: adapter, steps: 3, images: 2, questions: {category: 1}}
  locations: {trains: adapter+lora, steps: 6, images: 2, questions: {locpred: 2, revloc: 2}}
"""
    )
    return recipe


@pytest.fixture(scope="session")
def write_data() -> Callable[[Path], None]:
    """Writes six noisy pictures, and questions about them into the folder's `data`."""
    return _write_data


def _write_data(folder: Path) -> None:
    _write_pictures(folder)
    build_from_files(
        folder / "instances.json",
        folder / "images",
        folder / "data",
        BuildOptions(questions=QuestionOptions(objectives=("locpred", "revloc", "category"))),
    )


def _write_pictures(folder: Path) -> None:
    (folder / "images").mkdir()
    noise = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(1, 7):
        name = f"{number}.png"
        pixels = noise.integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / name)
        images.append({"id": number, "file_name": name, "width": 60, "height": 40})
        for place in range(2):
            category = (number + place) % len(CATEGORIES) + 1
            x, y = (int(value) for value in noise.integers(0, 30, 2))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": category,
                    "bbox": [x, y // 3, 20 + place, 25],
                    "area": 25 * (20 + place),
                    "iscrowd": 0,
                }
            )
    kinds = [{"id": i, "name": name} for i, name in enumerate(CATEGORIES, 1)]
    document = {"images": images, "annotations": annotations, "categories": kinds}
    (folder / "instances.json").write_text(json.dumps(document))
