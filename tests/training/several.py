"""What torchrun starts in these tests: recipes one after the other, in every process.

    torchrun … several.py RECIPE.yaml CASES.json

CASES is a list of objects: `set`, the recipe's overrides; `die`, the call of the loss at which all
processes kill themselves, if they should.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from locvlm.training.data.sampler import VisitSampler
from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.train import train


def run(recipe: Path, settings: list[str], die: int | None) -> None:
    calls, loss, visit = 0, LocTrainer.compute_loss, VisitSampler.visit
    out = Path(settings[0].removeprefix("out="))
    seen = out.with_name(f"{out.name}.visits.{os.environ['RANK']}")

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == die:
            os.kill(os.getpid(), signal.SIGKILL)
        return loss(self, *args, **kwargs)

    def noted(self: VisitSampler, number: int) -> Any:
        with seen.open("a") as file:
            file.write(f"{self.seed} {number}\n")
        return visit(self, number)

    LocTrainer.compute_loss, VisitSampler.visit = counted, noted
    try:
        train(recipe, settings)
    finally:
        LocTrainer.compute_loss, VisitSampler.visit = loss, visit


if __name__ == "__main__":
    for case in json.loads(Path(sys.argv[2]).read_text()):
        run(Path(sys.argv[1]), case["set"], case.get("die"))
