"""Questions about images that the model learned from are counted, and scored apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from locvlm.annotations.base import AnnotationSet
from locvlm.errors import InputError
from locvlm.evaluation.learned import describe_learned, find_learned
from locvlm.evaluation.proof.figures import weigh_task
from locvlm.evaluation.reports.paired import compare_runs
from locvlm.evaluation.run_files import RUN, EvaluationRun, read_json
from locvlm.media.fingerprints import read_fingerprint
from locvlm.models.learned_images import FILE, LearnedImages
from tests.evaluation.running import evaluate, score

TASK = "hal-coco"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a model, as far as its name goes."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    return tmp_path / "model"


def remember(folder: Path, images: Path, *names: str, unknown: tuple[str, ...] = ()) -> None:
    found = ((name, read_fingerprint(images / name)) for name in names)
    LearnedImages.of([(name, one) for name, one in found if one], unknown).write(folder)


@pytest.fixture
def run(
    folder: Path, scripted: Callable[..., Any], annotations: AnnotationSet, images: Path
) -> Callable[..., dict[str, Any]]:
    """Evaluates a model that is called like its folder."""

    def run(out: Path, *script: Callable[[str, str], str], name: str = "") -> dict[str, Any]:
        model = scripted(TASK, *script)
        model.name = name or str(folder)
        return evaluate(model, TASK, annotations, images, out)

    return run


def test_equal_and_near_images_are_found(folder: Path, tmp_path: Path) -> None:
    for seed in range(3):
        colors = np.random.default_rng(seed).integers(20, 235, (14, 18, 3), dtype=np.uint8)
        scene = Image.fromarray(colors).resize((240, 180), Image.Resampling.BICUBIC)
        scene.save(tmp_path / f"{seed}.png")
        scene.resize((120, 90)).save(tmp_path / f"small{seed}.jpg")
    remember(folder, tmp_path, "0.png", "small1.jpg")

    class Model:
        name, digest = str(folder), "some"

    found = find_learned(Model(), tmp_path, {"0.png", "1.png", "2.png", "gone.png"})  # type: ignore[arg-type]
    assert found is not None
    assert found.images == {"0.png": "equal", "1.png": "near"}
    assert found.known == 2


def test_they_are_counted_and_scored_apart(
    run: Callable[..., dict[str, Any]],
    folder: Path,
    images: Path,
    annotations: AnnotationSet,
    tmp_path: Path,
) -> None:
    remember(folder, images, "1.png", unknown=("tiny",))
    result = run(tmp_path / "out")
    learned, questions = result["learned"], result["questions"]
    assert learned["images"] == 1
    assert learned["names"] == ["1.png"]
    assert learned["how"] == {"equal": 1}
    assert (learned["known"], learned["unknown"]) == (1, ["tiny"])
    scores = result["scores"]
    parts = [scores[f"{part} pictures/accuracy"]["n"] for part in ("unseen", "learned")]
    assert parts == [questions - learned["questions"], learned["questions"]]
    report = (tmp_path / "out" / "report.md").read_text()
    assert f"learned from 1 of these {result['pictures']} images (equal files: 1)" in report
    assert "scored apart; what tiny learned from before is not known" in report
    assert "## Unseen pictures" in report
    again = score(TASK, tmp_path / "out" / "predictions.jsonl", annotations, tmp_path / "again")
    assert again["scores"] == scores
    assert again["learned"] == learned
    assert run(tmp_path / "out") == result  # nothing is asked again


def test_a_model_that_learned_from_others_is_scored_as_ever(
    run: Callable[..., dict[str, Any]], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (40, 40), "red").save(tmp_path / "elsewhere" / "a.png")
    remember(folder, tmp_path / "elsewhere", "a.png")
    result = run(tmp_path / "out")
    assert (result["learned"]["images"], result["learned"]["questions"]) == (0, 0)
    assert not any("pictures/" in name for name in result["scores"])
    assert "None of the images is among the 1 that" in describe_learned(result)


@pytest.mark.parametrize("name", ["", "scripted", "some/server"])
def test_a_model_that_does_not_say(
    run: Callable[..., dict[str, Any]], tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    result = run(tmp_path / "out", name=name)
    assert result["learned"] is None
    assert read_json(tmp_path / "out" / RUN, EvaluationRun).learned is None
    assert "is not known" in describe_learned(result)


def test_a_broken_record_is_said(
    run: Callable[..., dict[str, Any]], folder: Path, tmp_path: Path
) -> None:
    (folder / FILE).write_bytes(b"PAR1")
    with pytest.raises(InputError, match="not what LocVLM has written"):
        run(tmp_path / "out")


def test_runs_are_compared_on_what_neither_has_learned(
    run: Callable[..., dict[str, Any]], folder: Path, images: Path, tmp_path: Path
) -> None:
    run(tmp_path / "a", lambda question, ideal: "No.", name="scripted")
    remember(folder, images, "1.png")
    run(tmp_path / "b")
    found = compare_runs(tmp_path / "a", tmp_path / "b")
    whole, unseen, learned = (
        found.scores[name]
        for name in ("accuracy", "unseen pictures/accuracy", "learned pictures/accuracy")
    )
    assert whole.n == unseen.n + learned.n
    assert unseen.value > 0
    assert "scripted learned from is not known" in found.learned[0]
    assert "learned from 1 of these" in found.learned[1]
    proof = weigh_task(tmp_path / "a", tmp_path / "b")
    assert any("unseen photo" in verdict.sentence for verdict in proof.verdicts)
    assert [(one.model, one.images) for one in proof.learned] == [("tuned", 1)]
