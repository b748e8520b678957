"""Python's own work in a step: none of it per question, in the process that trains."""

import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from transformers import TrainerCallback

from locvlm.training.engine import execution, lora_forward
from locvlm.training.engine.lora_forward import WORTH
from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.train import train

OURS = str(Path(execution.__file__).parents[2])
FIRST, LAST = 2, 5  # steps that are counted


class Calls(TrainerCallback):
    """Calls of functions while steps last, and of our own between them as well."""

    def __init__(self) -> None:
        self.within = False
        self.steps: Counter[str] = Counter()
        self.ours: Counter[str] = Counter()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.within = True
        if state.global_step == FIRST:
            sys.setprofile(self.count)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.within = False
        if state.global_step == LAST:
            sys.setprofile(None)

    def count(self, frame: FrameType, event: str, _: Any) -> None:
        """One event, as Python's profilers get it."""
        if event not in ("call", "c_call"):
            return
        code = frame.f_code
        if "tqdm" in code.co_filename:
            return  # the bar is drawn by the clock
        name = f"{code.co_filename}:{code.co_qualname} {event}"
        if self.within:
            self.steps[name] += 1
        if event == "call" and code.co_filename.startswith(OURS):
            self.ours[name] += 1


def calls(monkeypatch: pytest.MonkeyPatch, questions: int, cache: bool) -> tuple[Calls, int]:
    """What a run of a few steps calls, and how many answers it has learned."""
    counted, answers = Calls(), []
    trained, loss = LocTrainer.train, LocTrainer.compute_loss

    def watched(self: LocTrainer, *args: Any, **kwargs: Any) -> Any:
        self.add_callback(counted)
        return trained(self, *args, **kwargs)

    def seen(self: LocTrainer, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        answers.append(inputs["batch"].answers)
        return loss(self, model, inputs, *args, **kwargs)

    stage = (
        "{trains: adapter+lora, steps: 6, images: 2, questions: {locpred: 2, revloc: 2}, "
        f"max_questions: {questions}}}"
    )
    with monkeypatch.context() as patch:
        patch.setattr(execution, "choose_method", lambda *_, **__: "sdpa")
        # else more tokens are computed otherwise
        patch.setattr(lora_forward, "WORTH", dict.fromkeys(WORTH, 0.0))
        patch.setattr(LocTrainer, "train", watched)
        patch.setattr(LocTrainer, "compute_loss", seen)
        settings = ["batch=2", "workers=1", f"cache={str(cache).lower()}", f"out=out{questions}"]
        try:
            train(Path("small.yaml"), [f"stages={{a: {stage}}}", "save_steps=100", *settings])
        finally:
            sys.setprofile(None)
    return counted, sum(answers)


@pytest.mark.parametrize("cache", [True, False])
def test_more_questions_are_no_more_calls(
    small_run: Path, monkeypatch: pytest.MonkeyPatch, cache: bool
) -> None:
    (few, asked), (many, more) = (calls(monkeypatch, number, cache) for number in (1, 4))
    assert more == 4 * asked == 48
    assert sum(few.steps.values()) > 1000
    assert any("supervised.py:answer_loss" in name for name in few.ours)
    assert not any("collator.py" in name for name in few.ours)  # the workers encode
    # Per question, it would be six more in each step; a branch may be taken in one or not
    most = LAST - FIRST
    grown = {name: count - few.steps[name] for name, count in many.steps.items()}
    assert {name: count for name, count in grown.items() if count > most} == {}
    assert many.ours == few.ours
