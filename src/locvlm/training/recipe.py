"""A training run as a file: what to start from, on what, in which stages.

Every value can be overridden from the command line: ``--set stages.locations.steps=100``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from locvlm.errors import InputError
from locvlm.instructions import objectives
from locvlm.training.augment import Augment

Count = Annotated[int, msgspec.Meta(ge=1)]
Limit = Annotated[int, msgspec.Meta(ge=0)]
Weight = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

# A stage's folder lies beside these in `out`
_RESERVED = frozenset({"base", "features", "model"})

_COMBINATIONS = (
    ("adapter",),
    ("lora",),
    ("language",),
    ("adapter", "lora"),
    ("adapter", "language"),
    ("encoder", "adapter", "language"),
)


class _Yaml(yaml.SafeLoader):
    """YAML in which 1e-4 is a number, as people mean it (and YAML 1.2 says), not a text."""


_Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


class LoraSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Low-rank updates of the language model (arXiv 2106.09685)."""

    rank: Count = 24
    alpha: Count = 24
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "down_proj")  # or ("all",)


class Parts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A LLaVA put together from two pretrained models, with a new adapter."""

    encoder: str  # hub id, such as openai/clip-vit-large-patch14, or folder relative to the recipe
    language: str  # likewise
    adapter: Literal["linear", "mlp"] = "mlp"
    layers: int | tuple[int, ...] = -2  # the encoder's outputs that the adapter reads


class Rewards(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Weights of what an answer earns (`training.tasks.rewards`); 0: not asked for."""

    iou: Weight = 1.0
    format: Weight = 0.2
    absence: Weight = 1.0


class Reinforce(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Group-relative policy optimization (GRPO, arXiv 2402.03300); one question per picture."""

    samples: Annotated[int, msgspec.Meta(ge=2)] = 8  # answers to a question, compared to each other
    temperature: Annotated[float, msgspec.Meta(gt=0)] = 1.0  # of the sampling
    beta: Weight = 0.0  # of the divergence from the model that the stage starts from
    rewards: Rewards = Rewards()
    max_new_tokens: Count = 32  # an answer is cut there


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stretch of training; a step is one update of the weights."""

    # Parts joined by +: adapter, language (all of it) or lora (low-rank updates of it), encoder.
    # naming: the adapter alone, on patches' names
    trains: str
    steps: Count
    pictures: Count = 8  # per step, over all processes
    learning_rate: Weight = 1e-4
    rates: dict[str, Weight] = {}  # part -> a learning rate of its own
    schedule: Literal["flat", "cosine"] = "flat"  # between warm-up and decay; cosine: all the way
    warmup: Share = 0.03  # share of the steps; flat: from a tenth of the rate, cosine: from nothing
    decay: Share = 0.2  # flat: share of the steps, at the end, in which the rate falls to a tenth
    weight_decay: Weight = 0.0
    questions: dict[str, Count] = {}  # objective -> at most so many per visit of a picture
    max_questions: Count = 20  # of all objectives together, per visit
    guidance: Weight = 0.0  # weight of the loss that guides attention to the boxes in question
    readout: Weight = 0.0  # weight of the loss of places read out where answers begin to write one
    standardize: bool = False  # the adapter learns from inputs of mean 0 and deviation 1
    reinforce: Reinforce | None = (
        None  # learn from rewards for sampled answers, not from the right ones
    )

    @property
    def parts(self) -> frozenset[str]:
        """What it trains."""
        return frozenset(self.trains.split("+"))

    @property
    def alone(self) -> str:
        """What it does that takes one process; "" where several may share its pictures."""
        return "naming" if self.trains == "naming" else "reinforce" if self.reinforce else ""


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole run."""

    data: tuple[str, ...]  # folders that `locvlm build` made, relative to the recipe
    out: str  # relative to the working folder
    stages: dict[str, Stage]  # run in this order
    # What to start from: a shipped name, a hub id, or a folder relative to the recipe (./folder)
    model: str = ""
    parts: Parts | None = None  # instead of a model
    format: str = ""  # of coordinates; empty: what the model speaks
    options: dict[str, Any] = {}  # of the coordinate format
    frames: Limit = 0  # of a clip, for a LLaVA that is to read clips; 0: as the model reads already
    # How a LLaVA is to read the tokens of a picture (`models.picture_tokens`); empty: as it does
    image_tokens: Literal["", "rows", "breaks", "twin"] = ""
    points: bool = False  # boxes are written as their centers
    lora: LoraSettings | None = (
        None  # None: as the adapter that it starts from has it, if any; else Lora()
    )
    quantize: Literal["", "4bit"] = ""  # QLoRA (arXiv 2305.14314); needs bitsandbytes
    # Of the arithmetic; what is trained is float32. auto: what the device computes natively
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    layout: Literal["auto", "packed", "padded"] = "auto"  # auto: packed where the model can
    # Pictures per forward pass of a process; auto: one on a CPU, on a GPU as many as fit
    batch: Count | Literal["auto"] = "auto"
    max_tokens: Limit = 0  # of a picture, a question and its answer; 0: no limit
    truncate: bool = False  # cut answers at max_tokens (counted) instead of refusing them
    gradient_checkpointing: bool = False
    compile: bool | Literal["auto"] = "auto"  # auto: on GPUs with Triton
    distributed: Literal["ddp", "fsdp2", "zero3"] = "ddp"  # of several processes
    # Processes that prepare pictures, per training process; auto: none on a CPU
    workers: Limit | Literal["auto"] = "auto"
    flip: bool = True  # half of the visits see the picture mirrored
    augment: Augment | None = None  # what else changes from visit to visit
    seed: int = 0
    save_steps: Count = 100
    cache: bool = True  # keep the frozen encoder's outputs, where the model allows it
    features: str = ""  # folder of these; empty: `out`/features
    report_to: tuple[str, ...] = ()  # trackio, wandb, tensorboard; JSONL and a plot always

    def batch_of(self, stage: Stage, auto: int = 1) -> int:
        """Pictures per forward pass of a process; naming takes all of a step at once.

        Args:
            stage: one of this recipe's.
            auto: what `auto` is.
        """
        if stage.trains == "naming":
            return stage.pictures
        return auto if self.batch == "auto" else self.batch

    def passes(self, where: str, stage: Stage, processes: int = 1, auto: int = 1) -> int:
        """Forward passes of each process in a step of a stage.

        Args:
            where: the stage, as an error names it.
            stage: one of this recipe's.
            processes: that share the pictures.
            auto: pictures per pass where `batch` is auto.

        Raises:
            InputError: its pictures cannot be shared out evenly.
        """
        batch = self.batch_of(stage, auto)
        passes, left = divmod(stage.pictures, batch * processes)
        if left:
            sharing = f" to {processes} processes" if processes > 1 else ""
            raise InputError(
                f"{where}: {stage.pictures} pictures per step cannot be shared out{sharing} "
                f"with batches of {batch}; change pictures or batch"
            )
        return passes


def views_change(recipe: Recipe, stage: Stage) -> bool:
    """Whether the encoder must read each view of a picture; `naming` has whole ones as they are."""
    return recipe.augment is not None and stage.trains != "naming"


def read_recipe(path: Path, overrides: list[str] | None = None) -> Recipe:
    """The recipe in a YAML file, with ``key=value`` overrides (dotted keys, YAML values).

    Raises:
        InputError: the file is missing or broken, or a key or value is not a recipe's.
    """
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _Yaml)
    except OSError as error:
        raise InputError(f"{path}: cannot read the recipe: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: {error}; save it as such") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict):
        raise InputError(f"{path}: a recipe is a mapping with model, data, out and stages")
    for override in overrides or []:
        _apply_override(tree, override)
    stages = tree.get("stages")
    for name, stage in stages.items() if isinstance(stages, dict) else ():
        try:  # on its own, so that the error can say which one it is
            msgspec.convert(stage, Stage)
        except msgspec.ValidationError as error:
            raise InputError(f"{path}: stages.{name}: {error}") from error
    try:
        recipe = msgspec.convert(tree, Recipe)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {error}") from error
    _check(path, recipe)
    near, parts = path.parent, recipe.parts
    if parts is not None:
        parts = msgspec.structs.replace(
            parts,
            encoder=_resolve_model(near, parts.encoder),
            language=_resolve_model(near, parts.language),
        )
    return msgspec.structs.replace(
        recipe,
        model=_resolve_model(near, recipe.model),
        parts=parts,
        data=tuple(str(_resolve_folder(near, name)) for name in recipe.data),
    )


def _resolve_folder(near: Path, name: str) -> Path:
    return (near / Path(name).expanduser()).resolve()


def _resolve_model(near: Path, model: str) -> str:
    """A folder beside the recipe as an absolute path; a hub id has a slash, too, and stays."""
    folder = _resolve_folder(near, model)
    is_folder = model.startswith((".", "/", "~")) or ("/" in model and folder.is_dir())
    return str(folder) if is_folder else model


def _check(path: Path, recipe: Recipe) -> None:
    if bool(recipe.model) == (recipe.parts is not None):
        raise InputError(f"{path}: give what to start from: either model or parts")
    if recipe.frames and recipe.parts is not None:
        raise InputError(f"{path}: frames: a model learns to read clips after pictures; give model")
    if recipe.frames and recipe.image_tokens not in ("", "rows"):
        raise InputError(f"{path}: image_tokens: a model of clips has a form of its own")
    if not recipe.stages:
        raise InputError(f"{path}: names no stages; give at least one")
    for name, stage in recipe.stages.items():
        if name in _RESERVED or not re.fullmatch(r"\w[\w.-]*", name):
            raise InputError(f"{path}: stages.{name}: is no name for its folder; choose another")
        _check_stage(f"{path}: stages.{name}", stage)
        recipe.passes(f"{path}: stages.{name}", stage)
    if recipe.augment is not None:
        recipe.augment.check(f"{path}: augment")
    if recipe.truncate and not recipe.max_tokens:
        raise InputError(f"{path}: truncate: cuts answers at max_tokens, which sets no limit")
    if recipe.quantize and recipe.parts is not None:
        raise InputError(
            f"{path}: quantize: needs a model; train the adapter of these parts first, and start "
            "from the model that it leaves"
        )
    lora = any("lora" in stage.parts or stage.reinforce for stage in recipe.stages.values())
    whole = any(stage.parts & {"language", "encoder"} for stage in recipe.stages.values())
    if lora and whole:
        raise InputError(
            f"{path}: one stage trains lora or reinforces, another all of the language "
            "model or encoder; train these in a run of their own, and start the next from its model"
        )
    if recipe.quantize and whole:
        raise InputError(f"{path}: quantize: weights of 4 bits cannot be trained; train lora")


def _check_stage(where: str, stage: Stage) -> None:
    kinds = [{"naming"}, *({*some} for some in _COMBINATIONS)]
    if stage.parts not in kinds:
        known = ", ".join(sorted({"naming", *("+".join(some) for some in _COMBINATIONS)}))
        raise InputError(f"{where}.trains: {stage.trains!r} is none of {known}")
    if stage.schedule == "flat" and stage.warmup + stage.decay > 1:
        raise InputError(f"{where}: warmup and decay are together more than all of its steps")
    if stage.trains == "naming":
        _check_naming(where, stage)
    elif not stage.questions:
        raise InputError(
            f"{where}.questions: asks nothing; give objectives and how many "
            "questions of each, such as {locpred: 4}"
        )
    for objective in stage.questions:
        objectives.get(objective)
    if stage.reinforce is not None:
        _check_reinforce(where, stage, stage.reinforce)
    if stage.standardize and not stage.parts & {"adapter", "naming"}:
        raise InputError(f"{where}.standardize: the stage does not train the adapter; leave it out")
    for part in stage.rates:
        if part not in stage.parts:
            raise InputError(f"{where}.rates.{part}: the stage does not train it")


def _check_naming(where: str, stage: Stage) -> None:
    for name in ("rates", "questions", "guidance", "readout"):
        if getattr(stage, name):
            raise InputError(f"{where}.{name}: naming has none; leave it out")


def _check_reinforce(where: str, stage: Stage, settings: Reinforce) -> None:
    if not stage.parts <= {"adapter", "lora"}:
        raise InputError(f"{where}.trains: reinforce trains adapter, lora or both of them")
    for objective in stage.questions:
        if objective not in ("locpred", "negpred"):
            raise InputError(
                f"{where}.questions.{objective}: has no reward that can be verified; "
                "reinforce asks locpred and negpred"
            )
    for name in ("guidance", "readout", "standardize"):
        if getattr(stage, name):
            raise InputError(f"{where}.{name}: is for answers that are given; leave it out")
    if not any(msgspec.structs.astuple(settings.rewards)):
        raise InputError(f"{where}.reinforce.rewards: weights nothing; give one more than 0")


def _apply_override(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise InputError(f"--set {override}: expected key=value")
    *path, last = key.split(".")
    for name in path:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            raise InputError(f"--set {override}: {name} has no keys of its own")
    try:
        tree[last] = yaml.load(text, _Yaml) if text else ""
    except yaml.YAMLError as error:
        raise InputError(f"--set {override}: the value is not YAML") from error
