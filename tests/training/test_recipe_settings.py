"""Each setting of a recipe does what it says, and nothing else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from locvlm.errors import InputError
from locvlm.training.adapters import trained_part
from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.train import train

ASKED = "questions: {locpred: 2, revloc: 1}"
STAGE = f"trains: adapter+lora, steps: 4, images: 2, {ASKED}"


def log_of(recipe: Path, out: str, *settings: str, stage: str = STAGE) -> list[dict[str, Any]]:
    """What a run of one stage writes, a line per step and one at the end."""
    train(recipe, [f"out={out}", f"stages={{a: {{{stage}}}}}", *settings])
    return [json.loads(line) for line in Path(out, "a/log.jsonl").read_text().splitlines()]


def curve(log: list[dict[str, Any]]) -> list[float]:
    return [row["loss"] for row in log if "loss" in row]


def rates(log: list[dict[str, Any]]) -> list[float]:
    return [row["learning_rate"] for row in log if "loss" in row]


@contextmanager
def seen_groups(patch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The optimizer's groups: the parts of their parameters, their rate and decay."""
    found: list[dict[str, Any]] = []
    groups = LocTrainer.parameter_groups

    def watched(self: Any, model: Any) -> list[dict[str, Any]]:
        made = groups(self, model)
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        for group in made:
            parts = {trained_part(names[id(p)]) for p in group["params"]}
            found.append({"parts": parts, "lr": group["lr"], "decay": group["weight_decay"]})
        return made

    patch.setattr(LocTrainer, "parameter_groups", watched)
    yield found


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting",
    ["gradient_checkpointing=true", "workers=2", "cache=false", "layout=padded", "batch=2"],
)
def test_the_loss_does_not_depend_on(small_run: Path, setting: str) -> None:
    plain = curve(log_of(small_run, "plain", "precision=fp32"))
    other = curve(log_of(small_run, "other", "precision=fp32", setting))
    assert len(plain) == 4
    assert other == pytest.approx(plain, rel=2e-3)  # kept features are float16
    assert plain[0] != plain[-1]


def test_rates_and_decay_reach_the_optimizer(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = STAGE + ", learning_rate: 1.0e-3, rates: {adapter: 1.0e-2}, weight_decay: 0.1"
    with seen_groups(monkeypatch) as groups:
        log_of(small_run, "out", stage=stage)
    assert sorted(groups, key=lambda group: (group["lr"], group["decay"])) == [
        {"parts": {"lora"}, "lr": 1e-3, "decay": 0.1},
        {"parts": {"adapter"}, "lr": 1e-2, "decay": 0.0},  # biases
        {"parts": {"adapter"}, "lr": 1e-2, "decay": 0.1},
    ]


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [
        ("warmup: 0.0, decay: 0.0", [1, 1, 1, 1]),
        ("warmup: 0.5, decay: 0.0", [0.1, 0.55, 1, 1]),  # from a tenth
        ("schedule: cosine, warmup: 0.0", [1, 0.854, 0.5, 0.146]),
    ],
)
def test_schedules(small_run: Path, schedule: str, shares: list[float]) -> None:
    log = log_of(small_run, "out", stage=f"{STAGE}, learning_rate: 1.0e-3, {schedule}")
    assert rates(log) == pytest.approx([share * 1e-3 for share in shares], abs=1e-6)


def test_a_flat_schedule_falls_to_a_tenth(small_run: Path) -> None:
    stage = STAGE.replace("steps: 4", "steps: 6")
    log = log_of(small_run, "out", stage=f"{stage}, learning_rate: 1.0, warmup: 0.0, decay: 0.5")
    found = rates(log)
    assert found[:3] == [1, 1, 1]
    assert found == sorted(found, reverse=True)
    assert 0.1 < found[-1] < 0.5


def test_cut_answers_are_all_counted(small_run: Path) -> None:
    stage = "trains: adapter+lora, steps: 4, images: 2, questions: {locpred: 2}"
    with pytest.raises(InputError, match="are more than max_tokens, 70; raise it, or truncate"):
        log_of(small_run, "refused", "max_tokens=70", stage=stage)
    plain = log_of(small_run, "plain", stage=stage)
    assert not any("truncated_answers" in row for row in plain)
    cut = log_of(small_run, "cut", "max_tokens=70", "truncate=true", stage=stage)
    asked = 4 * 2 * 2  # steps, pictures, questions
    assert sum(row.get("truncated_answers", 0) for row in cut) == asked
    learned = [sum(row.get("learned_tokens", 0) for row in log) for log in (plain, cut)]
    assert learned[0] > learned[1]


def test_one_step_learns(small_run: Path) -> None:
    log = log_of(small_run, "out", stage=STAGE.replace("steps: 4", "steps: 1"))
    assert rates(log) == [1e-4]


@pytest.mark.parametrize(
    ("settings", "stage", "message"),
    [
        (["layout=padded"], STAGE + ", guidance: 0.1", "guidance needs the packed layout"),
        ([], STAGE + ", guidance: 0.1", "guides none of the 2 layers"),
        (["batch=2"], STAGE.replace("images: 2", "images: 3"), "cannot be shared out"),
        (["cache=false"], "trains: naming, steps: 1", "naming needs a LLaVA"),
        (["lora.targets=[none]"], STAGE, "has no layers named none"),
    ],
)
def test_settings_that_contradict(
    small_run: Path, settings: list[str], stage: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        log_of(small_run, "out", *settings, stage=stage)


def test_a_later_stage_is_refused_before_the_first_is_trained(small_run: Path) -> None:
    later = "b: {trains: lora, steps: 1, questions: {negpred: 1}}"
    with pytest.raises(InputError, match="build them with"):
        train(small_run, [f"stages={{a: {{{STAGE}}}, {later}}}"])
    assert not Path("out/a").exists()


def test_guided_checkpointing_learns_the_same(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers that are computed twice look twice; the loss and its gradient count once."""
    monkeypatch.setattr("locvlm.training.auxiliary.attention_guidance.SHALLOW", 0)
    stage = STAGE + ", guidance: 1.0"
    plain = log_of(small_run, "plain", "precision=fp32", stage=stage)
    other = log_of(small_run, "other", "precision=fp32", "gradient_checkpointing=true", stage=stage)
    for name in ("loss", "guidance_loss", "grad_norm"):
        found = [[row[name] for row in log if "loss" in row] for log in (plain, other)]
        assert found[0] == pytest.approx(found[1], rel=1e-4), name
    assert torch.isfinite(torch.tensor(curve(plain))).all()
