"""A data set with held-out images, and a recipe that looks at them, on the small model."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locvlm.instructions.build import QuestionOptions
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.training.train import train

IMAGES = {"train": 6, "val": 4}
RECIPE = """\
model: {base}
data: [data]
out: out
precision: fp32
lora: {{rank: 2, alpha: 2}}
save_steps: 2
validation: {{images: 3, questions: 4, steps: 2}}
stages:
  places:
    trains: adapter+lora
    steps: 6
    images: 2
    learning_rate: 3.0e-3
    questions: {{locpred: 2, negpred: 1, presence: 1}}
"""


@pytest.fixture(scope="package")
def looking_recipe(small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe whose data set holds four of ten noisy images out."""
    tmp_path = tmp_path_factory.mktemp("looking")
    noise = np.random.default_rng(0)
    for split, count in IMAGES.items():
        for kind in ("images", "labels"):
            (tmp_path / "set" / kind / split).mkdir(parents=True)
        for number in range(count):
            pixels = noise.integers(0, 256, (40, 60, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / "images" / split / f"{number}.png")
            lines = [f"{(number + place) % 3} 0.{3 + place} .5 .4 .6\n" for place in range(2)]
            (tmp_path / "set" / "labels" / split / f"{number}.txt").write_text("".join(lines))
    places = "".join(f"{split}: images/{split}\n" for split in IMAGES)
    (tmp_path / "set" / "data.yaml").write_text(f"{places}names: [dog, cat, person]\n")
    objectives = ("locpred", "negpred", "presence", "category")
    options = BuildOptions(reader="yolo", questions=QuestionOptions(objectives=objectives))
    build_from_files(tmp_path / "set", tmp_path / "set", tmp_path / "data", options)
    recipe = tmp_path / "looking.yaml"
    recipe.write_text(RECIPE.format(base=small_base))
    return recipe


@pytest.fixture(scope="package")
def whole(looking_recipe: Path) -> Path:
    """The folder of a whole run."""
    out = looking_recipe.parent / "whole"
    train(looking_recipe, [f"out={out}"])
    return out
