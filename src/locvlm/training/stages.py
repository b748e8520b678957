"""A run's stages, one after the other: what each trains, on what, and what it leaves."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from peft.helpers import disable_input_dtype_casting
from transformers import ProgressCallback, Trainer

from locvlm.errors import InputError
from locvlm.geometry import Box, Location
from locvlm.instructions.base import Kind
from locvlm.instructions.render import LOC
from locvlm.models.chat import image_tokens, patch_grid
from locvlm.models.load import Settings
from locvlm.models.picture_tokens import form_of
from locvlm.models.twin import is_twin
from locvlm.training import guidance
from locvlm.training.adapters import choose_trained, load_adapter, save_adapter
from locvlm.training.arithmetic import compiles
from locvlm.training.bar import Progress
from locvlm.training.batching import lengthen, pictures_per_pass
from locvlm.training.block_attention import attending, choose_method
from locvlm.training.checkpoints import Completing, last_checkpoint, remove_checkpoints
from locvlm.training.collator import Collator, Encoded
from locvlm.training.compiling import SHAPES, compiled_layers
from locvlm.training.features import FeatureStore, remembered
from locvlm.training.layouts import Batch, packed, packs, padded, written
from locvlm.training.lora_forward import forming
from locvlm.training.losses import Answering, Naming, Task
from locvlm.training.naming import patch_labels, targets
from locvlm.training.packing import Method
from locvlm.training.pictures import Pictures
from locvlm.training.placeholders import counted_once
from locvlm.training.processes import launched, processes
from locvlm.training.readout import Readout, begins_with_number
from locvlm.training.recipe import Recipe, Stage, views_change
from locvlm.training.sharding import checkpoint_form, shards
from locvlm.training.standardization import Standardization, first_linear
from locvlm.training.start import Start
from locvlm.training.stopping import Stopping
from locvlm.training.throughput import Work
from locvlm.training.trainer import LocTrainer, arguments
from locvlm.training.visits import Visits
from locvlm.training.whole import load_weights, save_whole
from locvlm.video.processor import frames_of

PICTURE_TOKENS = 1200  # of a picture whose size decides their number, to plan with


@dataclass
class Run:
    """One run, stage after stage."""

    recipe: Recipe
    out: Path
    data: Pictures
    start: Start
    features: FeatureStore | None
    model: Any  # as it is trained
    lora: bool  # its low-rank updates are more than nothing

    def check(self) -> None:
        """Raise InputError now for what a later stage would be refused for hours from now."""
        for name, stage in self.recipe.stages.items():
            if stage.alone and frames_of(self.start.processor):
                raise InputError(
                    f"stage {name}: {stage.alone} is for models that read pictures alone; leave it "
                    "to the model that this one is made of"
                )
            if stage.reinforce and is_twin(self.start.processor):
                raise InputError(
                    f"stage {name}: reinforce gives a question one picture, and this model reads "
                    "two (image_tokens: twin); leave the stage out"
                )
            if stage.standardize:
                self._check_standardize(name)
            if not stage.alone:
                self.recipe.passes(f"stage {name}", stage, processes().num_processes)
            if stage.trains != "naming":  # whose own needs are many embeddings
                self._task(name, self._packs())
                self._check_kinds(name)

    def _check_standardize(self, name: str) -> None:
        if shards(self.recipe):
            raise InputError(
                f"stage {name}: standardize is not for {self.recipe.distributed}; choose ddp"
            )
        try:
            first_linear(self.model)
        except InputError as error:
            raise InputError(f"stage {name}: standardize: {error}") from error

    def _check_kinds(self, name: str) -> None:
        """A dialect may have boxes or points alone."""
        asked = self.recipe.stages[name].questions
        kinds = {
            kind
            for conversation in self.data.conversations
            for item in conversation.instructions
            if item.objective in asked
            for kind in (item.kind, *map(_kind, item.locations))
        }
        for kind in sorted(kinds):
            try:
                self.start.coordinates.repr_of(kind)
            except InputError as error:
                raise InputError(f"stage {name}: {error}") from error

    def train(self, name: str) -> None:
        """A stage, from its last checkpoint if there is one, and save its model."""
        stage, folder = self.recipe.stages[name], self.out / name
        if stage.alone and launched():
            raise InputError(
                f"stage {name}: {stage.alone} takes one process; start the run without torchrun "
                "until it is done, then go on with the same command under torchrun"
            )
        choose_trained(self.model, {"adapter"} if stage.trains == "naming" else stage.parts)
        one_row = stage.reinforce is None and self._packs()
        folder.mkdir(parents=True, exist_ok=True)
        form = checkpoint_form(self.recipe)
        stopping = Stopping()
        self.model.train()
        with ExitStack() as during:
            if one_row:
                during.enter_context(attending(self.start.model))
            if self._features(stage) is not None and stage.reinforce is None:
                during.enter_context(remembered(self.start.model))
            if isinstance(self.model, PeftModel):
                during.enter_context(disable_input_dtype_casting(self.model))
            if not stage.alone:
                self._quicken(name, during)
            trainer = self._reinforced(name) if stage.reinforce else self._taught(name, one_row)
            if isinstance(trainer, LocTrainer) and trainer.task.readout is not None:
                language = self.start.model.get_decoder()
                during.enter_context(trainer.task.readout.watching(language))
            checkpoint = last_checkpoint(folder, form)
            if isinstance(trainer, LocTrainer) and stage.standardize:
                self._standardize(name, trainer, during, checkpoint is None)
            bar = Progress()
            trainer.remove_callback(ProgressCallback)
            trainer.add_callback(bar)
            during.callback(bar.close)
            trainer.add_callback(Completing(form))
            trainer.add_callback(stopping)
            during.enter_context(stopping.listening())
            trainer.train(resume_from_checkpoint=checkpoint)
            state = trainer.spread_weights() if isinstance(trainer, LocTrainer) else None
        self._save(folder / "model", state)

    def _standardize(
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
            if processes().is_main_process:
                print(f"{name}: adapter reads standardized inputs; {moments}", file=sys.stderr)

    def _quicken(self, name: str, during: ExitStack) -> None:
        """While it lasts, the same numbers are computed faster; says how, once."""
        stage, recipe, said = self.recipe.stages[name], self.recipe, []
        batch = recipe.batch_of(stage, self._batch(stage))
        row = f"a row each ({self._method(stage)})" if self._packs() else "a row per question"
        said.append(f"{batch} picture{'s' * (batch > 1)} per pass, {row}")
        if isinstance(self.model, PeftModel) and "lora" in stage.parts:
            formed = 0 if shards(recipe) else during.enter_context(forming(self.model))
            said.append(
                "low-rank updates added within products, or formed with their weights"
                if formed
                else "low-rank updates by PEFT's own passes"
            )
        if torch.cuda.is_available() and self._grid() != (0, 0):
            during.enter_context(counted_once(self.start.model))
        if self._compiles(stage):
            static = self._in_lengths(stage)
            layers = during.enter_context(compiled_layers(self.model, static=static))
            said.append(f"{layers} layers compiled" + f", {SHAPES} lengths at most" * static)
        if processes().is_main_process:
            print(f"{name}: {'; '.join(said)}", file=sys.stderr)

    def _compiles(self, stage: Stage) -> bool:
        """Not by itself what goes row by row: every batch would be compiled anew."""
        by_rows = self._packs() and self._method(stage) == "rows"
        return compiles(self.recipe.compile) and not (by_rows and self.recipe.compile == "auto")

    def _in_lengths(self, stage: Stage) -> bool:
        """Whether rows are padded to a few lengths, each of which is compiled for itself."""
        return self._compiles(stage) and self._packs() and self._method(stage) != "rows"

    def _method(self, stage: Stage) -> Method:
        return choose_method(processes().device, guided=stage.guidance > 0)

    def _batch(self, stage: Stage) -> int:
        """Pictures per pass where the recipe leaves it open."""
        columns, rows = self._grid()
        tokens = columns * rows or PICTURE_TOKENS
        return pictures_per_pass(self.recipe, stage, self.start.model, tokens)

    def _grid(self) -> tuple[int, int]:
        """(columns, rows) of patches of every picture; nothing where it depends on the picture."""
        processor = self.start.processor
        try:
            return patch_grid(processor) if hasattr(processor, "patch_size") else (0, 0)
        except InputError:
            return (0, 0)

    def read(self, folder: Path) -> None:
        """Take over what a stage has saved."""
        if isinstance(self.model, PeftModel):
            load_adapter(self.model, folder)
        else:
            load_weights(self.model, folder, self.start.saved)

    def _packs(self) -> bool:
        return packs(self.start.model.config.model_type, self.recipe)

    def _taught(self, name: str, one_row: bool) -> Trainer:
        """On answers that are given."""
        stage, folder = self.recipe.stages[name], self.out / name
        return LocTrainer(
            self.model,
            self._task(name, one_row),
            arguments(stage, folder, self.recipe, self.model, self._batch(stage)),
            stage,
            folder / "log.jsonl",
            None if stage.alone else self._work(stage),
        )

    def _work(self, stage: Stage) -> Work:
        columns, rows = self._grid()
        return Work.of(self.model, columns * rows, encodes=self._features(stage) is None)

    def _reinforced(self, name: str) -> Trainer:
        """On rewards for the model's own answers."""
        from locvlm.training.reinforcement import Prompts, ReinforcementTrainer

        stage = self.recipe.stages[name]
        prompts = Prompts(self._visits(name, most=1), self.start)
        return ReinforcementTrainer(self.model, prompts, self.recipe, stage, self.out / name)

    def _visits(self, name: str, most: int) -> Visits:
        return Visits(
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

    def _task(self, name: str, one_row: bool) -> Task:
        stage, recipe = self.recipe.stages[name], self.recipe
        count = stage.steps * stage.pictures
        if stage.trains == "naming":
            return self._naming(count)
        collator = Collator(
            self.start.processor,
            self.start.coordinates,
            max_tokens=recipe.max_tokens,
            truncate=recipe.truncate,
            guided=stage.guidance > 0,
            read_out=stage.readout > 0,
        )
        layout = self._layout(stage, one_row)
        return Answering(
            self._visits(name, stage.max_questions),
            collator,
            count,
            layout,
            features=self._features(stage),
            guidance=stage.guidance,
            readout=self._readout(name) if stage.readout else None,
            readout_weight=stage.readout,
        )

    def _readout(self, name: str) -> Readout:
        """A new one.

        Raises:
            InputError: it would have nothing to read, or cannot be trained here.
        """
        where, coordinates = f"stage {name}: readout", self.start.coordinates
        if not self._packs():
            raise InputError(f"{where} needs the packed layout, which this model or recipe has not")
        if shards(self.recipe):
            raise InputError(f"{where} is not for {self.recipe.distributed}; choose ddp")
        if not begins_with_number(coordinates):
            raise InputError(
                f"{where}: a location of the format {coordinates.name} does not begin with a "
                "number; leave it out, or choose format: ivb"
            )
        asked = self.recipe.stages[name].questions
        items = (item for known in self.data.conversations for item in known.instructions)
        if not any(i.objective in asked and i.answer.count(LOC) == 1 for i in items):
            raise InputError(f"{where}: no answer holds one location; ask locpred, or leave it out")
        return Readout(self.start.model.config.get_text_config().hidden_size)

    def _layout(self, stage: Stage, one_row: bool) -> Callable[[list[Encoded]], Batch]:
        tokenizer = self.start.processor.tokenizer
        pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        if one_row:
            depth = self.start.model.config.get_text_config().num_hidden_layers
            if stage.guidance and depth <= min(guidance.LAYERS):
                raise InputError(f"guidance: guides none of the {depth} layers; leave it out")
            return partial(
                packed,
                pad=pad,
                guided=stage.guidance > 0,
                rope_index=getattr(self.start.model.model, "get_rope_index", None),
                method=self._method(stage),
                bucket=lengthen if self._in_lengths(stage) else int,
            )
        if stage.guidance:
            raise InputError("guidance needs the packed layout, which this model or recipe has not")
        lay = written if self.start.model.config.is_encoder_decoder else padded
        return partial(lay, pad=pad)

    def _naming(self, count: int) -> Naming:
        """The adapter alone, on the names of patches; the model must be a LLaVA."""
        if self.features is None:
            raise InputError("naming needs a LLaVA whose frozen encoder's outputs are kept")
        data, recipe, processor = self.data, self.recipe, self.start.processor
        goal = targets(self.start.model, processor, data.categories)
        grid = int(image_tokens(processor) ** 0.5)
        labels = [
            patch_labels(image, known, data.categories, grid) for _, image, known in data.annotated
        ]
        paths = [path for path, *_ in data.annotated]
        return Naming(
            paths, np.stack(labels), goal, self.features, count, flip=recipe.flip, seed=recipe.seed
        )

    def _save(self, folder: Path, state: dict[str, Any] | None) -> None:
        """Atomic: a folder that exists is a stage that is done.

        Args:
            folder: the model's.
            state: weights that were spread over the processes; of the others, the model's own.
        """
        scratch = folder.with_suffix(".new")
        if processes().is_main_process:
            shutil.rmtree(scratch, ignore_errors=True)
            spoken = self.start.coordinates
            base = self.start.base if isinstance(self.model, PeftModel) else None
            if base is not None:
                save_adapter(self.model, scratch, lora=self.lora, state=state)
            else:
                weights = {**self.model.state_dict(), **(state or {})}
                save_whole(self.model, self.start.processor, scratch, self.start.saved, weights)
            frames = None if base is None else frames_of(self.start.processor)
            form = form_of(self.start.processor)
            settings = Settings(
                format=spoken.name,
                options=spoken.options,
                base=base,
                frames=frames,
                image_tokens=None if form == "rows" else form,
            )
            settings.write(scratch)
            os.replace(scratch, folder)
            remove_checkpoints(folder.parent)
        processes().wait_for_everyone()


def _kind(place: Location) -> Kind:
    return "box" if isinstance(place, Box) else "point"
