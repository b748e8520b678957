"""A recipe on a machine: does each stage fit, how long does it take, what does it cost."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from locvlm.errors import InputError
from locvlm.families import get_family
from locvlm.training.data.batching import count_fitting, share_out
from locvlm.training.engine.gradient_checkpointing import recompute
from locvlm.training.plan.configurations import configuration, planned_lora
from locvlm.training.plan.drawn import Visit, draw
from locvlm.training.plan.layer import layer_flops
from locvlm.training.plan.machines import Machine
from locvlm.training.plan.memory import Memory, memory, weights_of
from locvlm.training.plan.sequences import Sequences, fixed_tokens, sequences
from locvlm.training.plan.sketch import Counts, base_of, counts, fake, sketch
from locvlm.training.plan.tracing import Pass, trace
from locvlm.training.recipe import Recipe, Stage, views_change

NAMING = 0.5  # of a CPU's best speed: two large products, and nothing else


@dataclass(frozen=True)
class Traced:
    """A stage, whatever it runs on."""

    counts: Counts
    reads: Sequences
    one: Pass


@dataclass(frozen=True)
class Estimate:
    """A stage on a machine."""

    stage: str
    machine: Machine
    traced: Traced
    memory: Memory
    step_seconds: float
    hours: float
    cost: float  # US dollars
    remedy: str  # what would make it fit; "" where it fits, or where nothing here does
    refusal: str  # why `locvlm train` would not run it on all devices; "" where it would

    @property
    def fits(self) -> bool:
        """Whether every device has the memory."""
        return self.memory.total <= self.machine.memory

    @property
    def runs(self) -> bool:
        """Whether it can be trained."""
        return self.fits and not self.refusal


class Planner:
    """Plans the stages of a recipe.

    Args:
        recipe: as `read_recipe` gives it.

    Raises:
        InputError: as `configuration` and `draw`.
    """

    def __init__(self, recipe: Recipe):
        self.recipe = replace(recipe, lora=planned_lora(recipe))
        self.config, self.origin = configuration(recipe)
        self.drawn = draw(recipe)
        self._known: dict[Any, Traced] = {}
        self._counted: dict[Any, Counts] = {}
        self._speeds: dict[Any, float] = {}  # share of the best one

    def estimate(self, name: str, machine: Machine) -> Estimate:
        """A stage on a machine. Raises InputError where its pictures' tokens are not known."""
        stage = self.recipe.stages[name]
        drawn = self.drawn.get(name)
        usual, largest = (drawn.usual, drawn.largest) if drawn else (None, None)
        settled = self._settled(self.recipe, stage, machine)
        used = self._memory(settled, stage, machine, largest)
        traced = self._traced(settled, stage, usual)
        machine = self._measured(machine, settled, stage, traced)
        passes, refusal = _passes(settled, name, 1 if stage.alone else machine.devices)
        step = passes * traced.one.flops / (machine.flops * machine.utilization)
        hours = step * stage.steps / 3600
        fits = used.total <= machine.memory
        remedy = "" if fits else self._remedy(stage, machine, largest)
        cost = hours * machine.price
        return Estimate(name, machine, traced, used, step, hours, cost, remedy, refusal)

    def _settled(self, recipe: Recipe, stage: Stage, machine: Machine) -> Recipe:
        """With what a run on this machine would choose: precision, and pictures per pass."""
        recipe = replace(recipe, precision=machine.precision)
        if recipe.batch != "auto":
            return recipe
        if stage.alone or not machine.gpus:
            return replace(recipe, batch=1)
        free = machine.memory - machine.reserve
        if recipe.distributed == "ddp" or machine.devices == 1:  # else they are not there yet
            free -= weights_of(self._counts(recipe, stage))
        fitting = count_fitting(recipe, stage, self.config, fixed_tokens(self.config), free)
        return replace(recipe, batch=share_out(stage.pictures, machine.devices, fitting))

    def _counts(self, recipe: Recipe, stage: Stage) -> Counts:
        """Counted once, whatever a pass is like."""
        key = recipe.precision, recipe.quantize, repr(recipe.stages), stage.trains
        if key not in self._counted:
            model = sketch(self.config, recipe, stage)
            self._counted[key] = counts(model, quantized=bool(recipe.quantize))
        return self._counted[key]

    def _measured(self, machine: Machine, recipe: Recipe, stage: Stage, traced: Traced) -> Machine:
        """With the share of its best speed that this very computer reaches."""
        if machine.utilization:
            return machine
        if stage.trains == "naming":
            return dataclasses.replace(machine, utilization=NAMING)
        key = traced.reads, recipe.precision
        if key not in self._speeds:
            model = sketch(self.config, recipe, stage)
            self._speeds[key] = layer_flops(model, traced.reads) / machine.flops
        return dataclasses.replace(machine, utilization=self._speeds[key])

    def _remedy(self, stage: Stage, machine: Machine, visit: Visit | None) -> str:
        for words, recipe, other in _remedies(self.recipe, stage, machine):
            used = self._memory(self._settled(recipe, other, machine), other, machine, visit)
            if used.total <= machine.memory:
                return words
        return ""

    def _memory(
        self, recipe: Recipe, stage: Stage, machine: Machine, visit: Visit | None
    ) -> Memory:
        traced = self._traced(recipe, stage, visit)
        return memory(
            traced.counts,
            traced.one,
            machine.devices,
            recipe.distributed,
            machine.reserve,
            mixed=machine.precision != "fp32",
        )

    def _traced(self, recipe: Recipe, stage: Stage, visit: Visit | None) -> Traced:
        """Traced once, however the state is shared out."""
        alike = replace(recipe, distributed="ddp")
        key = (repr(alike), repr(replace(stage, steps=1)), visit)
        if key not in self._known:
            self._known[key] = traced(self.config, alike, stage, visit)
        return self._known[key]


def _passes(recipe: Recipe, name: str, processes: int) -> tuple[int, str]:
    """Forward passes of a process per step, and why training would refuse that."""
    stage = recipe.stages[name]
    try:
        return recipe.passes(f"stage {name}", stage, processes), ""
    except InputError as error:
        batch = recipe.batch_of(stage)
        return math.ceil(stage.pictures / (batch * processes)), str(error)


def traced(config: Any, recipe: Recipe, stage: Stage, visit: Visit | None = None) -> Traced:
    """Counts and a pass of a stage, of visits like this one."""
    naming = stage.trains == "naming"
    reads = sequences(config, recipe, stage, visit)
    model = sketch(config, recipe, stage)
    counted = counts(model, quantized=bool(recipe.quantize))
    mode = fake(model)
    if recipe.gradient_checkpointing and not naming:
        recompute(base_of(model))
    one = trace(model, mode, reads, cached=_cached(config, recipe, stage), naming=naming)
    return Traced(counted, reads, one)


def _cached(config: Any, recipe: Recipe, stage: Stage) -> bool:
    """Whether the frozen encoder's outputs are kept."""
    trained = any("encoder" in stage.parts for stage in recipe.stages.values())
    kept = recipe.cache and not views_change(recipe, stage)
    return kept and get_family(config.model_type).encoder_cacheable and not trained


def _remedies(
    recipe: Recipe, stage: Stage, machine: Machine
) -> Iterator[tuple[str, Recipe, Stage]]:
    """Changes of a recipe that save memory, what changes the result least first."""
    saving = replace(recipe, gradient_checkpointing=True, batch=1)
    words = "gradient_checkpointing: true, batch: 1"
    yield words, saving, stage
    if machine.devices > 1:
        yield "distributed: fsdp2", replace(recipe, distributed="fsdp2"), stage
        saving = replace(saving, distributed="fsdp2")
        words += ", distributed: fsdp2"
        yield words, saving, stage
    if "language" in stage.parts:
        stage = replace(stage, trains="adapter+lora")
        saving = replace(saving, stages={"": stage})
        words += ", trains: adapter+lora"
        yield words, saving, stage
    if "lora" in stage.parts:
        yield f"{words}, quantize: 4bit", replace(saving, quantize="4bit"), stage
