"""Whose run a folder holds: what may change when it goes on, and what is said of the rest."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from locvlm.errors import InputError
from locvlm.training.augment import Augment
from locvlm.training.claim import CLAIM, FREE, check_claim, claim, find_changes
from locvlm.training.recipe import LoraSettings, Parts, Recipe, Stage
from locvlm.training.train import train

STAGE = Stage("lora", 10, questions={"locpred": 1, "revloc": 2})
BEGUN = Recipe(data=("/data",), out="out", stages={"a": STAGE}, model="tiny")
# Of every key, a value that is not the one of BEGUN
OTHERS: dict[str, Any] = {
    "data": ("/more",),
    "out": "elsewhere",
    "stages": {"a": msgspec.structs.replace(STAGE, steps=11)},
    "model": "other",
    "images": "elsewhere",
    "parts": Parts("encoder", "language"),
    "format": "nfp",
    "options": {"bins": 56},
    "frames": 8,
    "image_tokens": "breaks",
    "max_pixels": 100_000,
    "min_pixels": 1_000,
    "whole_images": True,
    "points": True,
    "lora": LoraSettings(),
    "quantize": "4bit",
    "precision": "fp32",
    "layout": "padded",
    "batch": 2,
    "max_tokens": 100,
    "truncate": True,
    "gradient_checkpointing": True,
    "compile": False,
    "distributed": "fsdp2",
    "workers": 0,
    "flip": False,
    "augment": Augment(),
    "seed": 1,
    "save_steps": 5,
    "cache": False,
    "features": "features",
    "report_to": ("tensorboard",),
    "validation": False,
}


def begun(out: Path, recipe: Recipe = BEGUN) -> Path:
    claim(out, recipe)
    (out / "a").mkdir()
    (out / "a/log.jsonl").touch()
    return out


def test_a_run_that_an_older_version_began_goes_on(tmp_path: Path, recwarn: Any) -> None:
    """Its recipe has `pictures` for what is `images` now; nobody is told of its own file."""
    out = begun(tmp_path)
    older = (out / CLAIM).read_text().replace('"images": 8', '"pictures": 8')
    assert "pictures" in older
    (out / CLAIM).write_text(older)
    check_claim(out, BEGUN)
    claim(out, BEGUN)
    assert (out / CLAIM).read_text() == older
    assert not recwarn.list
    stage = msgspec.structs.replace(STAGE, images=4)
    changed = msgspec.structs.replace(BEGUN, stages={"a": stage})
    assert find_changes(out, changed) == ["stages.a.images (8 there, 4 here)"]


def test_every_key_is_decided_about() -> None:
    assert OTHERS.keys() == set(Recipe.__struct_fields__)
    assert OTHERS.keys() > FREE


@pytest.mark.parametrize("key", OTHERS)
def test_what_changes_the_result_is_refused_and_named(key: str, tmp_path: Path) -> None:
    out = begun(tmp_path / "out")
    check_claim(out, BEGUN)
    changed = msgspec.structs.replace(BEGUN, **{key: OTHERS[key]})
    if key in FREE:
        check_claim(out, changed)
        claim(out, changed)
        assert json.loads((out / CLAIM).read_bytes())[key] != OTHERS[key]  # as it was begun
        return
    with pytest.raises(InputError, match=rf"another recipe.*\): {key}.*; go on with its values"):
        check_claim(out, changed)


def stages(**changes: Any) -> Recipe:
    return msgspec.structs.replace(BEGUN, stages=changes)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (msgspec.structs.replace(BEGUN, seed=1), ["seed (0 there, 1 here)"]),
        (stages(a=STAGE, b=STAGE), ["stages.b is new"]),
        (stages(b=STAGE), ["stages.a is gone", "stages.b is new"]),
        (
            stages(a=msgspec.structs.replace(STAGE, learning_rate=1.0)),
            ["stages.a.learning_rate (0.0001 there, 1.0 here)"],
        ),
        (
            stages(a=msgspec.structs.replace(STAGE, questions={"revloc": 2, "locpred": 1})),
            ["the order of stages.a.questions"],  # by which they are drawn
        ),
        (msgspec.structs.replace(BEGUN, data=("/more",)), ["data"]),
        (msgspec.structs.replace(BEGUN, lora=LoraSettings()), ["lora"]),
    ],
)
def test_what_is_said(changed: Recipe, said: list[str], tmp_path: Path) -> None:
    assert find_changes(begun(tmp_path / "out"), changed) == said


def test_stages_in_another_order(tmp_path: Path) -> None:
    out = begun(tmp_path / "out", stages(a=STAGE, b=STAGE))
    assert find_changes(out, stages(b=STAGE, a=STAGE)) == ["the order of stages"]


def test_many_changes_are_counted(tmp_path: Path) -> None:
    out = begun(tmp_path / "out")
    changed = msgspec.structs.replace(BEGUN, seed=1, flip=False, frames=2, points=True, model="x")
    with pytest.raises(InputError, match=r"model.*, frames.*, points.* and 2 more; go on"):
        check_claim(out, changed)


def test_nobodys_folder(tmp_path: Path) -> None:
    assert find_changes(tmp_path / "none", BEGUN) == []
    (tmp_path / CLAIM).write_text("half")
    assert find_changes(tmp_path, BEGUN) == ["it cannot be read"]
    check_claim(tmp_path, BEGUN)  # nothing was learned
    claim(tmp_path, BEGUN)
    assert find_changes(tmp_path, BEGUN) == []


def test_a_stopped_run_goes_on_with_other_means(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the same losses, with the checkpoints that are asked for now."""
    from locvlm.training.engine.trainer import LocTrainer

    def rows(out: str) -> list[dict[str, Any]]:
        lines = Path(out, "a/log.jsonl").read_text().splitlines()
        return [row for row in map(json.loads, lines) if "loss" in row]

    saved: list[int] = []
    step, save, calls = LocTrainer.compute_loss, LocTrainer.save_checkpoint, 0

    def killed(self: LocTrainer, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2 * 4 + 1:  # pictures of a step, and steps
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    def seen(self: LocTrainer, *args: Any, **kwargs: Any) -> None:
        saved.append(self.state.global_step)
        save(self, *args, **kwargs)

    stage = "stages={a: {trains: adapter+lora, steps: 8, images: 2, questions: {locpred: 2}}}"
    given = [stage, "precision=fp32"]
    train(small_run, [*given, "out=whole"])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(LocTrainer, "compute_loss", killed)
        train(small_run, [*given, "out=stopped"])
    monkeypatch.setattr(LocTrainer, "save_checkpoint", seen)
    means = ["batch=2", "workers=1", "save_steps=3", "cache=false", "gradient_checkpointing=true"]
    train(small_run, [*given, "out=stopped", *means])
    assert saved == [6, 8]  # the first ones were 2 and 4
    ours, theirs = rows("stopped"), rows("whole")
    assert [row["step"] for row in ours] == [row["step"] for row in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine["loss"] == pytest.approx(other["loss"], rel=1e-4)
