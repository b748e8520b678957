"""A command that was killed anywhere succeeds when it is given again, and makes the same files."""

import json
import random
import shlex
from pathlib import Path

import pytest
import torch
from PIL import Image

from locvlm import cli
from locvlm.models import tiny
from tests.killing import kill_often

PHOTOS = 12
ANN = "--annotations ann.json --images photos"
RECIPE = """\
out: out
model: tiny-base
options: {bins: 56}
data: [data]
save_steps: 1
validation: {images: 2, questions: 2, steps: 1}
stages: {a: {trains: adapter, steps: 2, images: 2, questions: {locpred: 1}}}
"""
QUICK = {
    "build": f"build {ANN} --out out",
    "score": f"score locate --predictions said.jsonl {ANN} --format ivb --out out",
}
LONG = {
    "eval": f"eval --model tiny-base --format ivb --task locate {ANN} --limit 2 --out out",
    "train": "train recipe.yaml",
}


@pytest.fixture(scope="module")
def home(small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user has: photos with boxes, a data set, a recipe, a model's answers."""
    home, chance = tmp_path_factory.mktemp("kills") / "home", random.Random(0)
    (home / "photos").mkdir(parents=True)
    images, boxes = [], []
    for number in range(PHOTOS):
        name = f"{number:03}.jpg"
        Image.new("RGB", (64, 48), (20 * number, 0, 90)).save(home / "photos" / name)
        images.append({"id": number, "file_name": name, "width": 64, "height": 48})
        for kind in (1, 2):
            box = [chance.randrange(20), chance.randrange(20), 30, 20]
            boxes.append({"id": len(boxes), "image_id": number, "category_id": kind, "bbox": box})
    categories = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    tree = {"images": images, "annotations": boxes, "categories": categories}
    (home / "ann.json").write_text(json.dumps(tree))
    (home / "recipe.yaml").write_text(RECIPE)

    def must_end_well(words: str) -> None:
        assert cli.main(shlex.split(words)) == 0

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setattr(tiny, "base_folder", lambda: small_base)
        must_end_well(f"build {ANN} --hold-out 0.2 --out data")
        must_end_well(f"questions locate {ANN} --format ivb --out asked.jsonl")
    rows = map(json.loads, (home / "asked.jsonl").read_text().splitlines())
    answers = [{"id": row["id"], "prediction": "It is located at (4,4,20,20)"} for row in rows]
    (home / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    return home


@pytest.mark.skipif(torch.cuda.is_available(), reason="what uses a GPU cannot be forked")
@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in LONG)]
)
def test_a_killed_command_succeeds_when_given_again(
    name: str, home: Path, small_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By each of the three signals, at moments that are drawn by seed."""
    monkeypatch.setattr(tiny, "base_folder", lambda: small_base)
    command = shlex.split({**QUICK, **LONG}[name])
    kills = kill_often(command, home, 3, name)
    assert not kills.wrong
    assert kills.struck
