"""A run's stages, one after the other: what each trains, on what, and what it leaves.

train_stage ─► the parts that are trained ─► how it computes here (`Execution`)
            ─► a task: visits, collator, layout, loss ─► the trainer ─► out/NAME/model
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft import PeftModel
from peft.helpers import disable_input_dtype_casting
from transformers import ProgressCallback, Trainer

from locvlm.distributed import is_launched, partial_state
from locvlm.errors import InputError
from locvlm.io.atomic import ensure_dir
from locvlm.shown.terminal import say
from locvlm.training.adapters import choose_trained
from locvlm.training.data.dataset import TrainingData
from locvlm.training.data.feature_cache import use_cached_features, use_own_encoder
from locvlm.training.data.skipped_images import FILE
from locvlm.training.engine.block_attention import use_block_attention
from locvlm.training.engine.checkpoints import (
    MarkComplete,
    last_checkpoint,
)
from locvlm.training.engine.execution import Execution, accelerate_model, find_rounded_updates
from locvlm.training.engine.finite import CheckFinite, find_divergence
from locvlm.training.engine.progress_bar import StageProgressBar
from locvlm.training.engine.sharding import checkpoint_form
from locvlm.training.engine.standardization import Standardization, first_linear
from locvlm.training.engine.stopping import StopOnSignal
from locvlm.training.engine.throughput import Work
from locvlm.training.engine.time_limit import EndInTime, share_time, write_end
from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.engine.training_arguments import build_arguments
from locvlm.training.saving import load_model, save_model
from locvlm.training.stage_tasks import StageTasks
from locvlm.training.tasks.supervised import AnswerTask
from locvlm.training.validation.looks import read_looks
from locvlm.training.validation.measure import Measurer
from locvlm.training.validation.outcome import settle
from locvlm.training.validation.stage_validation import (
    LookWhileTraining,
    StageValidation,
    prepare_validation,
)
from locvlm.training.validation.states import remove_working_states, write_state


@dataclass
class TrainingRun(StageTasks):
    """One run, stage after stage."""

    lora: bool  # the model's low-rank updates are more than nothing
    out: Path
    held_out: TrainingData | None = None  # images that are looked at, and never trained on
    ends: float | None = None  # when it is to be done, on the clock of `time_limit`

    def train_stage(self, name: str) -> None:
        """A stage, from its last checkpoint if there is one, and save its model."""
        stage, folder = self.recipe.stages[name], self.out / name
        if stage.single_process and is_launched():
            raise InputError(
                f"stage {name}: {stage.single_process} takes one process; start the run without "
                "torchrun until it is done, then go on with the same command under torchrun"
            )
        choose_trained(self.model, {"adapter"} if stage.trains == "naming" else stage.parts)
        ensure_dir(folder)
        self.model.train()
        stopping = StopOnSignal()
        validation = self._prepare_validation(name, stopping)
        with ExitStack() as during:
            execution = self._enter_execution(name, during)
            trainer = (
                self._build_reinforcement_trainer(name)
                if stage.reinforce
                else self._build_trainer(name, execution)
            )
            with partial_state().main_process_first():  # it puts damaged ones aside
                checkpoint = last_checkpoint(folder, checkpoint_form(self.recipe))
            if isinstance(trainer, LocTrainer):
                self._enter_auxiliary(name, trainer, during, measures=checkpoint is None)
            self._add_callbacks(trainer, stopping, during)
            clock = self._watch_clock(name, trainer, validation)
            if validation is not None:  # after those that know of signals and of the clock
                self._enter_validation(validation, trainer, stopping)
            with self._keep_steps(trainer):
                trainer.train(resume_from_checkpoint=checkpoint)
            if validation is not None:
                validation.looks = read_looks(trainer.state.log_history)
            self._report_skipped(name, trainer)
            CheckFinite.check_weights(trainer.args, trainer.state, trainer.model)
            if isinstance(trainer, LocTrainer):
                self._report_divergence(name)
            state = trainer.spread_weights() if isinstance(trainer, LocTrainer) else None
        ended = clock and clock.ended
        if ended:
            _print_once(f"{name}: its time is over after step {ended.step} of {ended.steps}")
        write_end(folder, ended)
        self._save(folder, state, validation)

    def _enter_execution(self, name: str, during: ExitStack) -> Execution:
        """Let the model compute as is fast here, as long as `during` lasts, and say how."""
        stage = self.recipe.stages[name]
        execution = Execution(self.recipe, stage, self.start)
        if stage.reinforce is None:
            if execution.packs:
                during.enter_context(use_block_attention(self.start.model))
            if self.features_of(stage) is not None:
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

    def _prepare_validation(self, name: str, stopping: StopOnSignal) -> StageValidation | None:
        """How held-out images are looked at; made before the stage changes how its model runs."""
        if self.held_out is None or self.recipe.stages[name].trains == "naming":
            return None
        execution = Execution(self.recipe, self.recipe.stages[name], self.start)
        measurer = Measurer.of(execution, lambda: stopping.requested)
        return prepare_validation(self.out / name, measurer, self.held_out, self.data)

    def _watch_clock(
        self, name: str, trainer: Trainer, validation: StageValidation | None
    ) -> EndInTime | None:
        """End the stage in time, where the run has an end; each stage has its share."""
        if self.ends is None:
            return None
        left = [
            stage.total_steps * stage.images
            for other, stage in self.recipe.stages.items()
            if other == name or not (self.out / other / "model").is_dir()
        ]
        ends = share_time(self.ends, left)
        if validation is None:
            clock = EndInTime(ends, lambda: 0.0, lambda _: 0.0)
        else:
            clock = EndInTime(ends, lambda: validation.seconds, validation.seconds_to_close)
        trainer.add_callback(clock)
        return clock

    def _enter_validation(
        self, validation: StageValidation, trainer: Trainer, stopping: StopOnSignal
    ) -> None:
        """Look while the trainer trains, and keep what is best."""

        def save_best(folder: Path) -> None:
            spread, folded = None, None
            if isinstance(trainer, LocTrainer):
                spread, folded = trainer.spread_weights(), trainer.standardization
            with use_own_encoder(self.start.model):
                with folded.fold_for_saving() if folded else nullcontext():
                    write_state(folder, lambda scratch: self._save_state(scratch, spread))

        trainer.add_callback(LookWhileTraining(validation, trainer, stopping, save_best))

    def _add_callbacks(self, trainer: Trainer, stopping: StopOnSignal, during: ExitStack) -> None:
        """The bar, whole checkpoints, and the end by a signal."""
        bar = StageProgressBar()
        trainer.remove_callback(ProgressCallback)
        for callback in (bar, MarkComplete(checkpoint_form(self.recipe)), stopping):
            trainer.add_callback(callback)
        during.callback(bar.close)
        during.enter_context(stopping.listen())

    @contextmanager
    def _keep_steps(self, trainer: Trainer) -> Iterator[None]:
        """Leave a checkpoint of the steps that are done, where an error ends the others."""
        try:
            yield
        except Exception:
            done = trainer.state.global_step
            last = last_checkpoint(Path(trainer.args.output_dir), checkpoint_form(self.recipe))
            alone = partial_state().num_processes == 1  # others may be in the middle of a step
            if isinstance(trainer, LocTrainer) and alone and done and not _holds(last, done):
                with suppress(InputError):  # weights that are not finite
                    trainer.save_now()
            raise

    def _report_skipped(self, name: str, trainer: Any) -> None:
        """Pictures that could not be shown in a stage."""
        task = getattr(trainer, "task", trainer)
        met = getattr(task, "skipped", None) or (self.features and self.features.skipped)
        for words in met.describe() if met else ():
            _print_once(f"{name}: {words}")

    def _report_divergence(self, name: str) -> None:
        """Finite numbers can be as wrong as others."""
        vocabulary = self.start.model.config.get_text_config().vocab_size
        if worse := find_divergence(self.out / name / "log.jsonl", vocabulary):
            _print_once(f"{name}: warning: {worse}")

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
        task = self.build_task(name, execution)
        if isinstance(task, AnswerTask):
            task.skipped.file = folder / FILE
        return LocTrainer(
            self.model,
            task,
            build_arguments(stage, folder, self.recipe, self.model, execution.batch),
            stage,
            folder / "log.jsonl",
            None if stage.single_process else self._count_work(execution),
        )

    def _count_work(self, execution: Execution) -> Work:
        columns, rows = execution.grid
        return Work.of(
            self.model, columns * rows, encodes=self.features_of(execution.stage) is None
        )

    def _build_reinforcement_trainer(self, name: str) -> Trainer:
        """On rewards for the model's own answers."""
        from locvlm.training.reinforcement.grpo import Prompts, ReinforcementTrainer

        stage = self.recipe.stages[name]
        prompts = Prompts(self.build_sampler(name, most=1), self.start)
        return ReinforcementTrainer(self.model, prompts, self.recipe, stage, self.out / name)

    def _save(
        self, folder: Path, state: dict[str, Any] | None, validation: StageValidation | None
    ) -> None:
        """Atomic: a folder `model` that exists is a stage that is done.

        Args:
            folder: the stage's.
            state: weights that were spread over the processes; of the others, the model's own.
            validation: decides which state the model is; None: the last.
        """

        def save_last(scratch: Path) -> None:
            self._save_state(scratch, state)

        if validation is None:
            write_state(folder / "model", save_last)
        else:
            settle(validation, save_last, self.load_stage)
        remove_working_states(folder)

    def _save_state(self, folder: Path, state: dict[str, Any] | None) -> None:
        save_model(folder, self.model, self.start, lora=self.lora, state=state)


def _holds(checkpoint: Path | None, step: int) -> bool:
    """Whether it is of this step."""
    return checkpoint is not None and checkpoint.name.endswith(f"-{step}")


def _print_once(words: str) -> None:
    """Once, of all processes."""
    if partial_state().is_main_process:
        say(words, file=sys.stderr)
