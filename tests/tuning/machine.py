"""A machine with a clock of its own, a model that answers at random, a training that only draws."""

import json
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

from locvlm import coordinates
from locvlm.evaluation import scoring
from locvlm.geometry import Frame, Size
from locvlm.inspection import inspect as inspecting
from locvlm.inspection.inspect import Inspection
from locvlm.models import load as loading
from locvlm.models import tiny
from locvlm.models.load import Loaded
from locvlm.training import train as training
from locvlm.training.engine.time_limit import Ended, write_end
from locvlm.training.recipe import Recipe
from locvlm.training.recipe_file import read_recipe
from locvlm.tuning import step_timer, timing

ANSWERS = ("It is located at (10,20,100,200)", "There is no such object", "left", "Yes, a dog.")


@dataclass
class Machine:
    """How fast it is, and what time it is on it."""

    visit: float = 0.01  # seconds of an image in training
    answer: float = 0.01  # seconds of a question
    now: float = 0.0
    asked: dict[str, list[list[str]]] = field(default_factory=dict)  # by model: images' questions
    trained: list[Recipe] = field(default_factory=list)
    killed: Callable[[], bool] = lambda: False
    busier: float = 1.0  # times as long takes the training, but for what is timed
    slower: float = 1.0  # times as long answers the tuned model
    done: list[int] = field(default_factory=list)  # steps of each training, by the clock

    def train(self, recipe: Path, settings: list[str], max_seconds: float | None = None) -> None:
        """What `locvlm.training.train` leaves behind."""
        read = read_recipe(recipe, settings)
        self.trained.append(read)
        for name, stage in read.stages.items():
            folder = Path(read.out) / name
            folder.mkdir(parents=True, exist_ok=True)
            a_step, steps = stage.images * self.visit, stage.total_steps
            if max_seconds is not None:
                a_step *= self.busier
                steps = min(steps, max(1, int(max_seconds / a_step)))
            if steps < stage.total_steps:
                write_end(folder, Ended(steps, stage.total_steps))
            self.done.append(steps)
            seconds = steps * a_step
            self.now += seconds
            row = {"step": 1, "train_runtime": seconds}
            (folder / "log.jsonl").write_text(json.dumps(row) + "\n")
        Image.new("RGB", (30, 20), "white").save(Path(read.out) / "loss.png")

    def load(self, name: str) -> "Guesser":
        return Guesser("tuned" if "training" in name else name, self)

    @property
    def steps(self) -> list[int]:
        """Of each training."""
        return [sum(stage.total_steps for stage in read.stages.values()) for read in self.trained]


class Guesser:
    """Answers at random, differently for each name and image."""

    coordinates = coordinates.get("ivb", bins=224)
    digest = ""
    frames = None  # it reads pictures
    at_once = 32
    decoding = {"method": "guess"}  # noqa: RUF012

    def __init__(self, name: str, machine: Machine) -> None:
        self.name = name
        self.machine = machine

    def frame(self, size: Size) -> Frame:
        return Frame.resize(size, 224)

    def answer_all(self, asked: list[tuple[Image.Image, list[str]]]) -> list[list[str]]:
        if self.machine.killed():
            raise KeyboardInterrupt
        groups = [questions for _, questions in asked]
        seeds = [f"{self.name}/{zlib.crc32(image.tobytes())}" for image, _ in asked]
        self.machine.asked.setdefault(self.name, []).extend(groups)
        slower = self.machine.slower if self.name == "tuned" else 1
        self.machine.now += sum(map(len, groups)) * self.machine.answer * slower
        return [
            [random.Random(f"{seed}/{question}").choice(ANSWERS) for question in questions]
            for seed, questions in zip(seeds, groups, strict=True)
        ]


def make_machine(small_model: Loaded, patch: pytest.MonkeyPatch) -> Machine:
    """One on which a tuning does its light parts alone."""
    made = Machine()
    processor_and_format = (small_model.processor, small_model.coordinates)
    patch.setattr(loading, "load_processor", lambda name, **_: processor_and_format)
    patch.setattr(tiny, "base_folder", Path)
    patch.setattr("locvlm.inference.predictor.load_predictor", made.load)
    patch.setattr(training, "train", made.train)
    patch.setattr(timing, "now", lambda: made.now)
    patch.setattr(step_timer, "now", lambda: made.now)
    return made


def leave_out_drawing(patch: pytest.MonkeyPatch) -> None:
    """What takes a test most of its time."""
    nothing = Inspection((), Path("i.html"), 0, 0, 0.0)
    patch.setattr(inspecting, "inspect", lambda *_, **__: nothing)
    patch.setattr(scoring, "write_report", lambda *_: None)
