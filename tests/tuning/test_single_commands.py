"""The first user's way by the single commands, as docs/start says them, on the shipped photos.

`test_tune.py` goes the same way by the one command.
"""

import base64
import html
import io
import json
import re
from pathlib import Path

import pytest
import yaml
from PIL import Image

from locvlm import cli
from locvlm.models.learned_images import learned_by
from tests.tuning.conftest import digests, write_yolo

PHOTOS = {"train": 40, "val": 60}  # all that are shipped
DATA = "data/shop"
BINS = 56  # pixels that the small model sees, and steps of the coordinates
ASKED = 12  # photos: a model of random weights answers at length
RECIPE = {
    "data": [DATA],
    "out": "runs/mine",
    "format": "ivb",
    "options": {"bins": BINS},
    "lora": {"rank": 2, "alpha": 2},
    "validation": {"images": 2},
    "stages": {
        "locations": {
            "trains": "lora",
            "steps": 3,
            "images": 2,
            "questions": {"locpred": 2, "revloc": 2},
            "max_questions": 2,
        }
    },
}


@pytest.mark.parametrize(
    "one_class",
    [
        pytest.param(False, id="many classes"),
        pytest.param(True, id="one class per photo", marks=pytest.mark.slow),
    ],
)
def test_the_single_commands_lead_to_a_verdict(
    one_class: bool,
    small_base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_yolo(Path("shop"), one_class=one_class, photos=PHOTOS)
    Path("recipe.yaml").write_text(yaml.safe_dump({"model": str(small_base), **RECIPE}))
    before = digests(Path("shop"))

    def run(*words: object) -> str:
        assert cli.main([str(word) for word in words]) == 0
        said = capsys.readouterr()
        return " ".join((said.err + said.out).split())

    def ask(model: object, out: str) -> str:
        what = ("--task", "locate", "--annotations", DATA, "--limit", ASKED)
        return run("eval", "--model", model, *what, "--out", out)

    built = run(
        "build", "--annotations", "shop/data.yaml", "--images", "shop/images", "--out", DATA
    )
    assert "40 pictures" in built
    look = ("--model", small_base, "--count", 2, "--out", "looks")
    assert "2 samples" in run("inspect", DATA, *look)
    asked = f"asked about split val: {ASKED} pictures"
    said = ask(small_base, "runs/before")
    assert asked in said
    assert "next: locvlm prove runs/before TUNED_RUN --out proof" in said
    run("train", "recipe.yaml")
    said = ask("runs/mine/model", "runs/after")
    assert asked in said
    assert "next: locvlm prove BASE_RUN runs/after --out proof" in said
    assert "None of the images is among the 40 that runs/mine/model learned from" in said
    runs = ("runs/before", "runs/after", "--images", "shop/images")
    check_proof(run("prove", *runs, "--out", "proof"), "as before")
    check_learned(before)
    # Where it answers rightly that is said, and drawn
    answer_rightly(Path("runs/after"))
    ask("runs/mine/model", "runs/after")  # it asks nothing again
    check_proof(run("prove", *runs, "--out", "better"), "better")
    page = Path("better/proof.html").read_text()
    drawn = re.findall(r'src="data:image/\w+;base64,([^"]+)"', page)
    assert drawn
    for image in drawn:
        Image.open(io.BytesIO(base64.b64decode(image))).load()
    assert digests(Path("shop")) == before


def answer_rightly(run: Path) -> None:
    """As if the model had: what it wrote becomes what is expected."""
    path = run / "predictions.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        x1, y1, x2, y2 = map(float, row["expected"].partition(" ")[0].split(","))
        scale, offset = row["frame"]["scale"] * 2, row["frame"]["offset"] * 2
        seen = (at * by + off for at, by, off in zip((x1, y1, x2, y2), scale, offset, strict=True))
        places = ",".join(str(round(min(max(at, 0), BINS))) for at in seen)
        row["answer"] = f"It is located at ({places})"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def check_learned(shop: dict[str, str]) -> None:
    """It is known by content what was learned from, and no photo of val is among it."""
    learned = learned_by("runs/mine/model")
    assert learned is not None
    photos = {split: _below(shop, f"images/{split}/") for split in PHOTOS}
    assert {found.digest for found in learned.prints} == photos["train"]
    assert len(photos["val"]) == PHOTOS["val"]
    assert not photos["train"] & photos["val"]
    for name in ("runs/before", "runs/after"):
        assert json.loads(Path(name, "scores.json").read_text())["split"] == "val"
        rows = [json.loads(row) for row in Path(name, "scored.jsonl").read_text().splitlines()]
        asked = {row["image"] for row in rows}
        assert len(asked) == ASKED
        assert {shop[f"images/{image}"] for image in asked} <= photos["val"]
    assert json.loads(Path("runs/after/scores.json").read_text())["learned"]["questions"] == 0


def check_proof(printed: str, word: str) -> None:
    """Verdicts in words, the same on the terminal, in JSON and in the page."""
    folder = Path(printed.rpartition(" ")[2]).parent
    proof = json.loads((folder / "proof.json").read_text())
    sentences = [verdict["sentence"] for verdict in proof["verdicts"]]
    assert sentences[0].startswith(f"Finds objects {word}")
    page = html.unescape((folder / "proof.html").read_text())
    for sentence in sentences:
        assert sentence in printed
        assert sentence in page


def _below(files: dict[str, str], folder: str) -> set[str]:
    return {digest for name, digest in files.items() if name.startswith(folder)}
