"""What the stages of a run learn from: visits, collator, layout and loss, put together as a task.

What a later stage would be refused for is found out before the first one is trained.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from locvlm.distributed import partial_state
from locvlm.errors import InputError
from locvlm.instructions.render import LOC
from locvlm.models.chat_template import image_tokens
from locvlm.models.twin import is_twin
from locvlm.models.video_llava.processor import frames_of
from locvlm.processors import shown_part
from locvlm.training.auxiliary.readout import Readout, begins_with_number
from locvlm.training.data.collator import Collator
from locvlm.training.data.dataset import TrainingData
from locvlm.training.data.feature_cache import FeatureStore
from locvlm.training.data.sampler import VisitSampler
from locvlm.training.engine.execution import Execution
from locvlm.training.engine.sharding import is_sharded
from locvlm.training.engine.standardization import first_linear
from locvlm.training.epochs import describe_epochs, resolve_epochs
from locvlm.training.recipe import Recipe, Stage, views_change
from locvlm.training.start import Start
from locvlm.training.tasks.base import StageTask
from locvlm.training.tasks.patch_naming import PatchNamingTask, build_targets, patch_labels
from locvlm.training.tasks.supervised import AnswerTask


@dataclass
class StageTasks:
    """The tasks of a run's stages."""

    recipe: Recipe
    data: TrainingData
    start: Start
    features: FeatureStore | None
    model: Any  # as it is trained
    # Of stages with epochs: the images of an epoch
    epoch_images: dict[str, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """The data are known, so steps can be counted."""
        self.recipe = resolve_epochs(self.recipe, self._count_images)

    def _count_images(self, name: str, stage: Stage) -> int:
        """The images that a stage has something to ask about, or patches of to name."""
        self.epoch_images[name] = (
            len(self.data.annotated)
            if stage.trains == "naming"
            else len(self.build_sampler(name, stage.max_questions).conversations)
        )
        return self.epoch_images[name]

    def describe_epochs(self) -> list[str]:
        """What the epochs of stages come to in steps, for people."""
        return [
            describe_epochs(name, self.recipe.stages[name], images)
            for name, images in self.epoch_images.items()
        ]

    def check(self) -> None:
        """Raise InputError now for what a later stage would be refused for hours from now."""
        for name, stage in self.recipe.stages.items():
            if stage.single_process and frames_of(self.start.processor):
                raise InputError(
                    f"stage {name}: {stage.single_process} is for models that read pictures alone; "
                    "leave it to the model that this one is made of"
                )
            if stage.reinforce and is_twin(self.start.processor):
                raise InputError(
                    f"stage {name}: reinforce gives a question one picture, and this model reads "
                    "two (image_tokens: twin); leave the stage out"
                )
            if stage.trains == "naming":
                self.data.require_objects(f"stage {name}: naming")
            if stage.standardize:
                self._check_standardize(name)
            if not stage.single_process:
                self.recipe.passes(f"stage {name}", stage, partial_state().num_processes)
            if stage.trains != "naming":  # whose own needs are many embeddings
                execution = Execution(self.recipe, stage, self.start)
                self.build_task(name, execution)
                self._check_kinds(name)

    def _check_standardize(self, name: str) -> None:
        if is_sharded(self.recipe):
            raise InputError(
                f"stage {name}: standardize is not for {self.recipe.distributed}; choose ddp"
            )
        try:
            first_linear(self.model)
        except InputError as error:
            raise InputError(f"stage {name}: standardize: {error}") from error

    def _check_kinds(self, name: str) -> None:
        """A dialect may have boxes or points alone."""
        for kind in sorted(self.data.kinds(self.recipe.stages[name].questions)):
            try:
                self.start.coordinates.repr_of(kind)
            except InputError as error:
                raise InputError(f"stage {name}: {error}") from error

    def build_sampler(self, name: str, most: int) -> VisitSampler:
        """The visits of a stage, of at most `most` questions each."""
        return VisitSampler(
            self.data.conversations,
            self.recipe.stages[name].questions,
            most,
            flip=self.recipe.flip,
            seed=f"{self.recipe.seed}/{name}",  # another stage goes through them in another order
            augment=self.recipe.augment,
            origins=self.data.origins,
            points=self.recipe.points,
            view=self.data.view,
        )

    def features_of(self, stage: Stage) -> FeatureStore | None:
        """The encoder's outputs, where a stage shows whole pictures as they are."""
        return None if views_change(self.recipe, stage) else self.features

    def build_task(self, name: str, execution: Execution) -> StageTask:
        """What a stage that answers, or names patches, is trained on.

        Raises:
            InputError: it cannot be trained so.
        """
        stage, recipe = self.recipe.stages[name], self.recipe
        count = stage.total_steps * stage.images
        if stage.trains == "naming":
            return self._build_naming_task(count)
        collator = Collator(
            self.start.processor,
            self.start.coordinates,
            max_tokens=recipe.max_tokens,
            truncate=recipe.truncate,
            guided=stage.guidance > 0,
            read_out=stage.readout > 0,
        )
        return AnswerTask(
            self.build_sampler(name, stage.max_questions),
            collator,
            count,
            execution.choose_batch_builder(),
            features=self.features_of(stage),
            guidance=stage.guidance,
            readout=self._build_readout(name, execution) if stage.readout else None,
            readout_weight=stage.readout,
        )

    def _build_readout(self, name: str, execution: Execution) -> Readout:
        """A new one.

        Raises:
            InputError: it would have nothing to read, or cannot be trained here.
        """
        where, coordinates = f"stage {name}: readout", self.start.coordinates
        if not execution.packs:
            raise InputError(f"{where} needs the packed layout, which this model or recipe has not")
        if is_sharded(self.recipe):
            raise InputError(f"{where} is not for {self.recipe.distributed}; choose ddp")
        if not begins_with_number(coordinates):
            raise InputError(
                f"{where}: a location of the format {coordinates.name} does not begin with a "
                "number; leave it out, or choose format: ivb"
            )
        instructions = self.data.instructions_of(self.recipe.stages[name].questions)
        if not any(item.answer.count(LOC) == 1 for item in instructions):
            raise InputError(f"{where}: no answer holds one location; ask locpred, or leave it out")
        return Readout(self.start.model.config.get_text_config().hidden_size)

    def _build_naming_task(self, count: int) -> PatchNamingTask:
        """The adapter alone, on the names of patches; the model must be a LLaVA."""
        if self.features is None:
            raise InputError("naming needs a LLaVA whose frozen encoder's outputs are kept")
        data, recipe, processor = self.data, self.recipe, self.start.processor
        targets = build_targets(self.start.model, processor, data.categories)
        grid = int(image_tokens(processor) ** 0.5)
        shown = cache(lambda size: shown_part(processor, size))
        labels = [
            patch_labels(
                image, categories, data.categories, grid, shown((image.width, image.height))
            )
            for _, image, categories in data.annotated
        ]
        usable = [
            row
            for row, (path, *_) in enumerate(data.annotated)
            if str(path) not in self.features.skipped
        ]
        return PatchNamingTask(
            [data.annotated[row][0] for row in usable],
            np.stack([labels[row] for row in usable]),
            targets,
            self.features,
            count,
            flip=recipe.flip,
            seed=recipe.seed,
        )
