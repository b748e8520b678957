"""A training run as plain values: what to start from, on what, in which stages.

`recipe_file` reads it from YAML.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from locvlm.errors import InputError
from locvlm.training.augment import Augment

# Upper bounds are far above what has a use: they refuse infinity and slips of the keyboard
_MOST = 10**9
Count = Annotated[int, msgspec.Meta(ge=1, le=_MOST)]
Limit = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
Weight = Annotated[float, msgspec.Meta(ge=0, le=_MOST)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Amount = Annotated[float, msgspec.Meta(gt=0, le=_MOST)]
Epochs = Annotated[float, msgspec.Meta(gt=0, le=10**6)]


class LoraSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Low-rank updates of the language model (arXiv 2106.09685)."""

    rank: Annotated[int, msgspec.Meta(ge=1, le=2**16)] = 24
    alpha: Count = 24
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "down_proj")  # or ("all",)


class Parts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A LLaVA put together from two pretrained models, with a new adapter."""

    encoder: str  # hub id, such as openai/clip-vit-large-patch14, or folder relative to the recipe
    language: str  # likewise
    adapter: Literal["linear", "mlp"] = "mlp"  # one linear layer, or two with GELU between them
    layers: int | tuple[int, ...] = -2  # the encoder's outputs that the adapter reads


class Rewards(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Weights of what an answer earns (`training.tasks.rewards`); 0: not asked for."""

    iou: Weight = 1.0
    format: Weight = 0.2
    absence: Weight = 1.0


class Reinforce(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Group-relative policy optimization (GRPO, arXiv 2402.03300); one question per picture."""

    samples: Annotated[int, msgspec.Meta(ge=2, le=10**4)] = (
        8  # answers to a question, compared to each other
    )
    temperature: Amount = 1.0  # of the sampling
    beta: Weight = 0.0  # of the divergence from the model that the stage starts from
    rewards: Rewards = Rewards()
    max_new_tokens: Count = 32  # an answer is cut there


class Validation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Looks at held-out images while stages train: those of the split `val` of the data sets."""

    # Of a look: images for the loss, and questions of each of the two scores, a seeded sample;
    # auto: by the length of the stage
    images: Count | Literal["auto"] = "auto"
    questions: Limit | Literal["auto"] = "auto"  # 0: the loss alone
    steps: Count | Literal["auto"] = "auto"  # between two looks; auto: by `share`
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.1  # of the time that looks should take
    metric: Literal["loss", "iou", "accuracy", "presence"] = "loss"  # that says what is best
    keep: Literal["best", "last"] = "best"  # the state that is the stage's model
    patience: Limit = 0  # looks without a better one, after which a stage ends; 0: it does not


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stretch of training; a step is one update of the weights."""

    # Parts joined by +: adapter, language (all of it) or lora (low-rank updates of it), encoder.
    # naming: the adapter alone, on patches' names
    trains: str
    # How long, by one of these; with epochs, steps are known once the data are (`training.epochs`)
    steps: Count | None = None
    epochs: Epochs | None = None  # visits of every image that has something to ask
    images: Count = 8  # per step, over all processes
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
    def total_steps(self) -> int:
        """Its steps, also where they were counted from epochs.

        Raises:
            ValueError: the recipe has epochs, and `training.epochs` has not counted them yet.
        """
        if self.steps is None:
            raise ValueError("the steps of a stage with epochs are not counted yet")
        return self.steps

    @property
    def single_process(self) -> str:
        """What it does that takes one process; "" where several may share its pictures."""
        return "naming" if self.trains == "naming" else "reinforce" if self.reinforce else ""


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole run."""

    data: tuple[str, ...]  # folders that `locvlm build` made, relative to the recipe
    out: str  # relative to the working folder
    stages: dict[str, Stage]  # run in this order
    # What to start from: a shipped name, a hub id, a folder relative to the recipe (./folder), or
    # another recipe beside it (other.yaml), whose `out` holds the model
    model: str = ""
    parts: Parts | None = None  # instead of a model
    # Folder of the data sets' images, or one for each of them, where they are not where they were
    # when these were built; relative to the recipe. "": where they were
    images: str | tuple[str, ...] = ()
    format: str = ""  # of coordinates; empty: what the model speaks
    options: dict[str, Any] = {}  # of the coordinate format
    frames: Limit = 0  # of a clip, for a LLaVA that is to read clips; 0: as the model reads already
    # How a LLaVA is to read the tokens of a picture (`models.image_tokens`); empty: as it does
    image_tokens: Literal["", "rows", "breaks", "twin"] = ""
    # Pixels that pictures are scaled to, for Qwen-VL from 2 on, which reads nearly their own size;
    # 0: as the model's processor says
    min_pixels: Limit = 0
    max_pixels: Limit = 0
    # Pictures are seen whole, stretched, by a model whose own processor crops (LLaVA-1.5's); one
    # of `parts` sees them so in any case
    whole_images: bool = False
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
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] = 0  # all that NumPy takes
    validation: Validation | bool = True  # on held-out images, where the data sets have some
    save_steps: Count = 100
    cache: bool = True  # keep the frozen encoder's outputs, where the model allows it
    features: str = ""  # folder of these; empty: `out`/features
    report_to: tuple[str, ...] = ()  # trackio, wandb, tensorboard; JSONL and a plot always

    @property
    def data_folders(self) -> list[tuple[Path, Path | None]]:
        """Each data set, and the folder of its images; None: as it says itself."""
        given = self.images or ("",)
        folders = (given,) * len(self.data) if isinstance(given, str) else given
        if len(folders) == 1:
            folders *= len(self.data)
        pairs = zip(self.data, folders, strict=True)
        return [(Path(data), Path(images) if images else None) for data, images in pairs]

    def with_data(self, data: Collection[str]) -> Recipe:
        """The same with some of its data sets, and the folders of their images."""
        images = [str(given or "") for _, given in self.data_folders]
        kept = [
            (name, given) for name, given in zip(self.data, images, strict=True) if name in data
        ]
        return msgspec.structs.replace(
            self,
            data=tuple(name for name, _ in kept),
            images=tuple(given for _, given in kept) if any(images) else (),
        )

    @property
    def trains_all(self) -> bool:
        """Whether a stage trains all of the language model or encoder: no adapter holds that."""
        return any(stage.parts & {"language", "encoder"} for stage in self.stages.values())

    @property
    def looks(self) -> Validation | None:
        """How held-out images are looked at; None: not."""
        if isinstance(self.validation, bool):
            return Validation() if self.validation else None
        return self.validation

    def batch_of(self, stage: Stage, auto: int = 1) -> int:
        """Images per forward pass of a process; naming takes all of a step at once.

        Args:
            stage: one of this recipe's.
            auto: what `auto` is.
        """
        if stage.trains == "naming":
            return stage.images
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
        passes, left = divmod(stage.images, batch * processes)
        if left:
            sharing = f" to {processes} processes" if processes > 1 else ""
            raise InputError(
                f"{where}: {stage.images} images per step cannot be shared out{sharing} "
                f"with batches of {batch}; change images or batch"
            )
        return passes


def views_change(recipe: Recipe, stage: Stage) -> bool:
    """Whether the encoder must read each view of a picture; `naming` has whole ones as they are."""
    return recipe.augment is not None and stage.trains != "naming"
