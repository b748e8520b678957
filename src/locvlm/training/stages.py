"""A run's stages, one after the other: what each trains, on what, and what it leaves.

train_stage ─► the parts that are trained ─► how it computes here (`Execution`)
            ─► a task: visits, collator, layout, loss ─► the trainer ─► out/NAME/model
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from peft import PeftModel
from peft.helpers import disable_input_dtype_casting
from transformers import ProgressCallback, Trainer

from locvlm.distributed import is_launched, partial_state
from locvlm.errors import InputError
from locvlm.instructions.render import LOC
from locvlm.models.chat_template import image_tokens
from locvlm.models.twin import is_twin
from locvlm.models.video_llava.processor import frames_of
from locvlm.training.adapters import choose_trained
from locvlm.training.auxiliary.readout import Readout, begins_with_number
from locvlm.training.data.collator import Collator
from locvlm.training.data.dataset import TrainingData
from locvlm.training.data.feature_cache import FeatureStore, use_cached_features
from locvlm.training.data.sampler import VisitSampler
from locvlm.training.engine.block_attention import use_block_attention
from locvlm.training.engine.checkpoints import MarkComplete, last_checkpoint, remove_checkpoints
from locvlm.training.engine.execution import Execution, accelerate_model, find_rounded_updates
from locvlm.training.engine.progress_bar import StageProgressBar
from locvlm.training.engine.sharding import checkpoint_form, is_sharded
from locvlm.training.engine.standardization import Standardization, first_linear
from locvlm.training.engine.stopping import StopOnSignal
from locvlm.training.engine.throughput import Work
from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.engine.training_arguments import build_arguments
from locvlm.training.recipe import Recipe, Stage, views_change
from locvlm.training.saving import load_model, save_model
from locvlm.training.start import Start
from locvlm.training.tasks.base import StageTask
from locvlm.training.tasks.patch_naming import PatchNamingTask, build_targets, patch_labels
from locvlm.training.tasks.supervised import AnswerTask


@dataclass
class TrainingRun:
    """One run, stage after stage."""

    recipe: Recipe
    out: Path
    data: TrainingData
    start: Start
    features: FeatureStore | None
    model: Any  # as it is trained
    lora: bool  # its low-rank updates are more than nothing

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
            if stage.standardize:
                self._check_standardize(name)
            if not stage.single_process:
                self.recipe.passes(f"stage {name}", stage, partial_state().num_processes)
            if stage.trains != "naming":  # whose own needs are many embeddings
                execution = Execution(self.recipe, stage, self.start)
                self._build_task(name, execution)
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

    def train_stage(self, name: str) -> None:
        """A stage, from its last checkpoint if there is one, and save its model."""
        stage, folder = self.recipe.stages[name], self.out / name
        if stage.single_process and is_launched():
            raise InputError(
                f"stage {name}: {stage.single_process} takes one process; start the run without "
                "torchrun until it is done, then go on with the same command under torchrun"
            )
        choose_trained(self.model, {"adapter"} if stage.trains == "naming" else stage.parts)
        folder.mkdir(parents=True, exist_ok=True)
        self.model.train()
        with ExitStack() as during:
            execution = self._enter_execution(name, during)
            trainer = (
                self._build_reinforcement_trainer(name)
                if stage.reinforce
                else self._build_trainer(name, execution)
            )
            checkpoint = last_checkpoint(folder, checkpoint_form(self.recipe))
            if isinstance(trainer, LocTrainer):
                self._enter_auxiliary(name, trainer, during, measures=checkpoint is None)
            self._add_callbacks(trainer, during)
            trainer.train(resume_from_checkpoint=checkpoint)
            state = trainer.spread_weights() if isinstance(trainer, LocTrainer) else None
        self._save(folder / "model", state)

    def _enter_execution(self, name: str, during: ExitStack) -> Execution:
        """Let the model compute as is fast here, as long as `during` lasts, and say how."""
        stage = self.recipe.stages[name]
        execution = Execution(self.recipe, stage, self.start)
        if stage.reinforce is None:
            if execution.packs:
                during.enter_context(use_block_attention(self.start.model))
            if self._features(stage) is not None:
                during.enter_context(use_cached_features(self.start.model))
        if isinstance(self.model, PeftModel):
            during.enter_context(disable_input_dtype_casting(self.model))
        if loss := find_rounded_updates(self.model, execution):
            _print_once(f"{name}: warning: {loss}")
        if not stage.single_process:
            how = during.enter_context(accelerate_model(self.model, execution))
            _print_once(f"{name}: {how}")
        return execution

    def _enter_auxiliary(
        self, name: str, trainer: LocTrainer, during: ExitStack, *, measures: bool
    ) -> None:
        """What is trained beside the model, or before it, as long as `during` lasts."""
        if trainer.task.readout is not None:
            language = self.start.model.get_decoder()
            during.enter_context(trainer.task.readout.read_states(language))
        if self.recipe.stages[name].standardize:
            self._standardize_inputs(name, trainer, during, measures)

    def _add_callbacks(self, trainer: Trainer, during: ExitStack) -> None:
        """The bar, whole checkpoints, and the end by a signal."""
        bar, stopping = StageProgressBar(), StopOnSignal()
        trainer.remove_callback(ProgressCallback)
        for callback in (bar, MarkComplete(checkpoint_form(self.recipe)), stopping):
            trainer.add_callback(callback)
        during.callback(bar.close)
        during.enter_context(stopping.listen())

    def _standardize_inputs(
        self, name: str, trainer: LocTrainer, during: ExitStack, measures: bool
    ) -> None:
        """While it lasts, the adapter reads standardized inputs; a checkpoint knows how they are.

        Where there is none they are measured, and it is said what was found.
        """
        linear = first_linear(self.model)
        trainer.standardization = Standardization(linear)
        during.enter_context(trainer.standardization.active())
        if measures:
            moments = trainer.measure_inputs(linear)
            trainer.standardization.begin(moments)
            _print_once(f"{name}: adapter reads standardized inputs; {moments}")

    def load_stage(self, folder: Path) -> None:
        """Take over what a stage has saved."""
        load_model(folder, self.model, self.start)

    def _build_trainer(self, name: str, execution: Execution) -> Trainer:
        """On answers that are given."""
        stage, folder = self.recipe.stages[name], self.out / name
        return LocTrainer(
            self.model,
            self._build_task(name, execution),
            build_arguments(stage, folder, self.recipe, self.model, execution.batch),
            stage,
            folder / "log.jsonl",
            None if stage.single_process else self._count_work(execution),
        )

    def _count_work(self, execution: Execution) -> Work:
        columns, rows = execution.grid
        return Work.of(self.model, columns * rows, encodes=self._features(execution.stage) is None)

    def _build_reinforcement_trainer(self, name: str) -> Trainer:
        """On rewards for the model's own answers."""
        from locvlm.training.reinforcement.grpo import Prompts, ReinforcementTrainer

        stage = self.recipe.stages[name]
        prompts = Prompts(self._build_sampler(name, most=1), self.start)
        return ReinforcementTrainer(self.model, prompts, self.recipe, stage, self.out / name)

    def _build_sampler(self, name: str, most: int) -> VisitSampler:
        return VisitSampler(
            self.data.conversations,
            self.recipe.stages[name].questions,
            most,
            flip=self.recipe.flip,
            seed=f"{self.recipe.seed}/{name}",  # another stage goes through them in another order
            augment=self.recipe.augment,
            origins=self.data.origins,
            points=self.recipe.points,
        )

    def _features(self, stage: Stage) -> FeatureStore | None:
        """The encoder's outputs, where a stage shows whole pictures as they are."""
        return None if views_change(self.recipe, stage) else self.features

    def _build_task(self, name: str, execution: Execution) -> StageTask:
        stage, recipe = self.recipe.stages[name], self.recipe
        count = stage.steps * stage.images
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
            self._build_sampler(name, stage.max_questions),
            collator,
            count,
            execution.choose_batch_builder(),
            features=self._features(stage),
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
        labels = [
            patch_labels(image, categories, data.categories, grid)
            for _, image, categories in data.annotated
        ]
        paths = [path for path, *_ in data.annotated]
        return PatchNamingTask(
            paths,
            np.stack(labels),
            targets,
            self.features,
            count,
            flip=recipe.flip,
            seed=recipe.seed,
        )

    def _save(self, folder: Path, state: dict[str, Any] | None) -> None:
        """Atomic: a folder that exists is a stage that is done.

        Args:
            folder: the model's.
            state: weights that were spread over the processes; of the others, the model's own.
        """
        if partial_state().is_main_process:
            scratch = folder.with_suffix(".new")
            shutil.rmtree(scratch, ignore_errors=True)
            save_model(scratch, self.model, self.start, lora=self.lora, state=state)
            os.replace(scratch, folder)
            remove_checkpoints(folder.parent)
        partial_state().wait_for_everyone()


def _print_once(words: str) -> None:
    """Once, of all processes."""
    if partial_state().is_main_process:
        print(words, file=sys.stderr)
