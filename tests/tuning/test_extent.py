"""What is said of a training before its verdicts are believed."""

from pathlib import Path

from locvlm.io.json_rows import write_json
from locvlm.training.validation.outcome import FILE, Outcome
from locvlm.tuning.budget import TunePlan
from locvlm.tuning.extent import describe_training

PLAN = TunePlan(steps=4, all_steps=800, tasks={}, training=0, asking=0, lacking=0, all_seconds=0)


def outcome(start: float, unseen: float) -> Outcome:
    figures = {"loss": start}, {"loss": unseen}
    return Outcome("loss", 4, 4, 4, 4, 2, {}, *figures, last=figures[1], seen={})


def test_a_short_training_is_said(tmp_path: Path) -> None:
    (sentence,) = describe_training(PLAN, tmp_path)
    assert "4 of the 800 steps" in sentence


def test_a_whole_training_that_made_it_worse(tmp_path: Path) -> None:
    folder = tmp_path / "tuning"
    folder.mkdir()
    whole = TunePlan(steps=4, all_steps=4, tasks={}, training=0, asking=0, lacking=0, all_seconds=0)
    write_json(folder / FILE, outcome(0.4, 0.3))
    assert list(describe_training(whole, tmp_path)) == []
    write_json(folder / FILE, outcome(0.3, 0.4))
    (sentence,) = describe_training(whole, tmp_path)
    assert "stage tuning, the start did better" in sentence
