"""Stages that learn from rewards, by TRL, on the small model."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from locvlm.errors import InputError
from locvlm.instructions.build import QuestionOptions
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.models.load import load_model

pytest.importorskip("trl")

from locvlm.training.reinforcement.grpo import ReinforcementTrainer
from locvlm.training.reinforcement.rewards import REWARDS
from locvlm.training.train import train

STAGE = (
    "stages={rewarded: {trains: lora, steps: 4, images: 2, questions: {locpred: 1, negpred: 1}, "
    "learning_rate: 0.01, reinforce: {samples: 3, max_new_tokens: 6}}}"
)


@pytest.fixture
def run(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recipe of `small_run`, its data with questions about what is absent, too.

    Random weights never say where anything is, so that here an answer earns by its length.
    """
    monkeypatch.setitem(REWARDS, "format", lambda text, *_: len(text) / 100)
    folder = small_run.parent
    build_from_files(
        folder / "instances.json",
        folder / "images",
        folder / "places",
        BuildOptions(questions=QuestionOptions(objectives=("locpred", "negpred"))),
    )
    return small_run


def log(stage: Path) -> list[dict[str, Any]]:
    rows = map(json.loads, (stage / "log.jsonl").read_text().splitlines())
    return [row for row in rows if "reward" in row]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


def go(run: Path, *settings: str) -> Path:
    return train(run, [STAGE, "data=[places]", "batch=2", *settings])


def test_a_stage_of_rewards(run: Path) -> None:
    model = go(run)
    rows = log(Path("out/rewarded"))
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    for row in rows:
        assert 0 <= row["rewards/format/mean"] <= 1
        assert row["completions/max_length"] <= 6
    assert not Path("out/features").exists()  # TRL opens the pictures itself
    loaded = load_model(model)
    assert loaded.coordinates.name == "ivb"


@pytest.mark.parametrize("beta", [0, 0.1])
def test_rewards_move_the_low_rank_updates_alone(run: Path, beta: float) -> None:
    before = weights(train(run, ["stages={naming: {trains: naming, steps: 1}}", "out=first"]))
    after = weights(go(run, "model=first/model", f"stages.rewarded.reinforce.beta={beta}"))
    assert any(value.any() for name, value in after.items() if "lora_B" in name)
    for name, value in before.items():
        assert torch.equal(after[name], value), name


def test_a_killed_stage_goes_on_to_the_same_weights(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = go(run, "out=whole")
    step, calls = ReinforcementTrainer.training_step, 0

    def killed(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ReinforcementTrainer, "training_step", killed)
        go(run, "out=broken")
    resumed = go(run, "out=broken")
    assert [r["reward"] for r in log(Path("broken/rewarded"))] == [
        r["reward"] for r in log(Path("whole/rewarded"))
    ]
    for name, value in weights(whole).items():
        assert torch.equal(weights(resumed)[name], value), name


def test_a_divergence_is_measured_and_its_copy_not_kept(run: Path) -> None:
    model = go(run, "stages.rewarded.reinforce.beta=0.1")
    assert [row["kl"] > 0 for row in log(Path("out/rewarded"))] == [False, True, True, True]
    assert weights(model).keys() == weights(go(run, "out=plain")).keys()


def test_what_earns_gets_likelier(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REWARDS, "format", lambda text, *_: float(any(map(str.isdigit, text))))
    stage = "stages.rewarded"
    go(run, f"{stage}.steps=16", f"{stage}.learning_rate=0.05", f"{stage}.reinforce.samples=8")
    earned = [row["rewards/format/mean"] for row in log(Path("out/rewarded"))]
    assert sum(earned[-4:]) > sum(earned[:4]) + 0.6  # from about an eighth to about a half


def test_another_stage_follows(run: Path) -> None:
    taught = "stages.captions={trains: adapter, steps: 1, images: 2, questions: {locpred: 1}}"
    model = go(run, taught)
    assert weights(model).keys() == weights(Path("out/rewarded/model")).keys()


def test_points_cannot_be_rewarded(run: Path) -> None:
    folder = run.parent
    build_from_files(
        folder / "instances.json",
        folder / "images",
        folder / "points",
        BuildOptions(questions=QuestionOptions(objectives=("locpred",), location="point")),
    )
    with pytest.raises(InputError, match=r"asks for a point; reinforce needs boxes"):
        go(run, "data=[points]")


def test_pictures_that_cannot_be_read_are_passed_over(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = run.parent / "images"
    cut = (images / "3.png").read_bytes()[:200]
    (images / "3.png").write_bytes(cut)
    (images / "5.png").write_bytes(b"")
    load_model(go(run, STAGE.replace("steps: 4", "steps: 6")))
    assert len(log(Path("out/rewarded"))) == 6
    said = capsys.readouterr().err
    assert "rewarded: 2 pictures cannot be used, others were shown in their place:" in said
    for name in ("3.png", "5.png"):
        assert f"rewarded: skipped: {images / name}: not a readable picture" in said
    for number in range(1, 7):
        (images / f"{number}.png").write_bytes(b"")
    with pytest.raises(InputError, match="6 of 6 pictures cannot be used"):
        go(run, "out=other")
