"""A recipe on a machine: does each stage fit, how long does it take, what does it cost."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from locvlm.compat.gradient_checkpointing import enable_checkpointing
from locvlm.errors import InputError
from locvlm.families import get_family
from locvlm.training.adapters import base_model
from locvlm.training.data.batching import count_fitting, share_out
from locvlm.training.epochs import resolve_epochs
from locvlm.training.plan.configurations import find_configuration, planned_lora, take_over
from locvlm.training.plan.layer import measure_layer_flops
from locvlm.training.plan.machines import Machine
from locvlm.training.plan.memory import Memory, estimate_memory, weights_of
from locvlm.training.plan.sequences import Sequences, fixed_tokens, plan_sequences
from locvlm.training.plan.sketch import (
    ParameterCounts,
    build_sketch,
    count_parameters,
    to_fake_tensors,
)
from locvlm.training.plan.tracing import PassCost, trace_pass
from locvlm.training.plan.visits import VisitLengths, count_images, draw_visits, has_data
from locvlm.training.recipe import Recipe, Stage, views_change
from locvlm.training.recipe_file import is_recipe

IMAGES = 100_000  # of an epoch, where nothing is known of the data
NAMING = 0.5  # of a CPU's best speed: two large products, and nothing else


@dataclass(frozen=True)
class StageTrace:
    """A stage, whatever it runs on."""

    counts: ParameterCounts
    reads: Sequences
    cost: PassCost


@dataclass(frozen=True)
class Estimate:
    """A stage on a machine."""

    stage: str
    machine: Machine
    trace: StageTrace
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
        images: of an epoch; None: those of the recipe's data, or `IMAGES` where these are not here.

    Attributes:
        recipe: with all steps, and with what it takes over from the recipe that it starts from.
        epoch_images: of the stages with epochs.
        assumes_images: whether these are `IMAGES`.

    Raises:
        InputError: as `find_configuration`, `take_over` and `draw_visits`.
    """

    def __init__(self, recipe: Recipe, images: int | None = None):
        given, recipe = recipe, take_over(recipe)
        recipe = replace(recipe, lora=planned_lora(recipe))
        self.config, self.origin = find_configuration(recipe)
        if is_recipe(given.model):
            self.origin += f", as {Path(given.model).name} leaves it"
        self.epoch_images: dict[str, int] = {}
        self.assumes_images = images is None and not has_data(recipe)
        self._read, self._images = recipe, IMAGES if self.assumes_images else images
        self.recipe = resolve_epochs(recipe, self._count_images)
        self.visits = draw_visits(self.recipe)
        self._traces: dict[Any, StageTrace] = {}
        self._counts_known: dict[Any, ParameterCounts] = {}
        self._speeds: dict[Any, float] = {}  # share of the best one

    def _count_images(self, name: str, stage: Stage) -> int:
        found = count_images(self._read, stage) if self._images is None else self._images
        self.epoch_images[name] = found
        return found

    def estimate(self, name: str, machine: Machine) -> Estimate:
        """A stage on a machine. Raises InputError where its pictures' tokens are not known."""
        stage = self.recipe.stages[name]
        visits = self.visits.get(name)
        usual, largest = (visits.usual, visits.largest) if visits else (None, None)
        resolved = self._resolve_recipe(self.recipe, stage, machine)
        memory = self._memory(resolved, stage, machine, largest)
        trace = self._trace(resolved, stage, usual)
        machine = self._with_measured_speed(machine, resolved, stage, trace)
        passes, refusal = _count_passes(
            resolved, name, 1 if stage.single_process else machine.devices
        )
        step = passes * trace.cost.flops / (machine.flops * machine.utilization)
        hours = step * stage.total_steps / 3600
        fits = memory.total <= machine.memory
        remedy = "" if fits else self._remedy(stage, machine, largest)
        cost = hours * machine.price
        return Estimate(name, machine, trace, memory, step, hours, cost, remedy, refusal)

    def _resolve_recipe(self, recipe: Recipe, stage: Stage, machine: Machine) -> Recipe:
        """With what a run on this machine would choose: precision, and pictures per pass."""
        recipe = replace(recipe, precision=machine.precision)
        if recipe.batch != "auto":
            return recipe
        if stage.single_process or not machine.gpus:
            return replace(recipe, batch=1)
        free = machine.memory - machine.reserve
        if recipe.distributed == "ddp" or machine.devices == 1:  # else they are not there yet
            free -= weights_of(self._counts(recipe, stage))
        fitting = count_fitting(recipe, stage, self.config, fixed_tokens(self.config), free)
        return replace(recipe, batch=share_out(stage.images, machine.devices, fitting))

    def _counts(self, recipe: Recipe, stage: Stage) -> ParameterCounts:
        """Counted once, whatever a pass is like."""
        key = recipe.precision, recipe.quantize, repr(recipe.stages), stage.trains
        if key not in self._counts_known:
            model = build_sketch(self.config, recipe, stage)
            self._counts_known[key] = count_parameters(model, quantized=bool(recipe.quantize))
        return self._counts_known[key]

    def _with_measured_speed(
        self, machine: Machine, recipe: Recipe, stage: Stage, trace: StageTrace
    ) -> Machine:
        """With the share of its best speed that this very computer reaches."""
        if machine.utilization:
            return machine
        if stage.trains == "naming":
            return dataclasses.replace(machine, utilization=NAMING)
        key = trace.reads, recipe.precision
        if key not in self._speeds:
            model = build_sketch(self.config, recipe, stage)
            self._speeds[key] = measure_layer_flops(model, trace.reads) / machine.flops
        return dataclasses.replace(machine, utilization=self._speeds[key])

    def _remedy(self, stage: Stage, machine: Machine, visit: VisitLengths | None) -> str:
        for words, recipe, other in _remedies(self.recipe, stage, machine):
            memory = self._memory(
                self._resolve_recipe(recipe, other, machine), other, machine, visit
            )
            if memory.total <= machine.memory:
                return words
        return ""

    def _memory(
        self, recipe: Recipe, stage: Stage, machine: Machine, visit: VisitLengths | None
    ) -> Memory:
        trace = self._trace(recipe, stage, visit)
        return estimate_memory(
            trace.counts,
            trace.cost,
            machine.devices,
            recipe.distributed,
            machine.reserve,
            mixed=machine.precision != "fp32",
        )

    def _trace(self, recipe: Recipe, stage: Stage, visit: VisitLengths | None) -> StageTrace:
        """Traced once, however the state is shared out."""
        alike = replace(recipe, distributed="ddp")
        key = (repr(alike), repr(replace(stage, steps=1, epochs=None)), visit)
        if key not in self._traces:
            self._traces[key] = trace_stage(self.config, alike, stage, visit)
        return self._traces[key]


def _count_passes(recipe: Recipe, name: str, processes: int) -> tuple[int, str]:
    """Forward passes of a process per step, and why training would refuse that."""
    stage = recipe.stages[name]
    try:
        return recipe.passes(f"stage {name}", stage, processes), ""
    except InputError as error:
        batch = recipe.batch_of(stage)
        return math.ceil(stage.images / (batch * processes)), str(error)


def trace_stage(
    config: Any, recipe: Recipe, stage: Stage, visit: VisitLengths | None = None
) -> StageTrace:
    """Counts and a pass of a stage, of visits like this one."""
    naming = stage.trains == "naming"
    reads = plan_sequences(config, recipe, stage, visit)
    model = build_sketch(config, recipe, stage)
    counts = count_parameters(model, quantized=bool(recipe.quantize))
    mode = to_fake_tensors(model)
    if recipe.gradient_checkpointing and not naming:
        enable_checkpointing(base_model(model))
    cost = trace_pass(model, mode, reads, cached=_cached(config, recipe, stage), naming=naming)
    return StageTrace(counts, reads, cost)


def _cached(config: Any, recipe: Recipe, stage: Stage) -> bool:
    """Whether the frozen encoder's outputs are kept."""
    trained = any("encoder" in stage.parts for stage in recipe.stages.values())
    cached = recipe.cache and not views_change(recipe, stage)
    return cached and get_family(config.model_type).encoder_cacheable and not trained


def _remedies(
    recipe: Recipe, stage: Stage, machine: Machine
) -> Iterator[tuple[str, Recipe, Stage]]:
    """Changes of a recipe that save memory, what changes the result least first."""
    saving = replace(recipe, gradient_checkpointing=True, batch=1)
    words = ("" if recipe.gradient_checkpointing else "gradient_checkpointing: true, ") + "batch: 1"
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
