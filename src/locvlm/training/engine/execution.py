"""How a stage is computed here: rows and attention, pictures per pass, compiled layers, updates.

Nothing of this changes what is learned, beyond rounding. What rounding would take is warned of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import msgspec
import torch
from peft import PeftModel

from locvlm.compat.lora_linear import count_other_layers
from locvlm.compat.placeholder_mask import count_placeholders_once
from locvlm.distributed import partial_state
from locvlm.errors import InputError
from locvlm.models.chat_template import patch_grid
from locvlm.runtime.precision import choose_precision
from locvlm.training.auxiliary import attention_guidance
from locvlm.training.data.batching import images_per_pass, round_up_length
from locvlm.training.data.collator import EncodedConversation
from locvlm.training.data.packed_rows import build_packed_batch, should_pack
from locvlm.training.data.packing import Method
from locvlm.training.data.padded_rows import build_encoder_decoder_batch, build_padded_batch
from locvlm.training.data.training_batch import TrainingBatch
from locvlm.training.engine.arithmetic import should_compile
from locvlm.training.engine.block_attention import choose_method
from locvlm.training.engine.compiling import SHAPES, compile_layers
from locvlm.training.engine.lora_forward import form_updates
from locvlm.training.engine.sharding import is_sharded
from locvlm.training.recipe import Recipe, Stage
from locvlm.training.start import Start


@dataclass(frozen=True)
class Execution:
    """What is decided about a stage of a recipe, by its model and by the device."""

    recipe: Recipe
    stage: Stage
    start: Start

    @cached_property
    def packs(self) -> bool:
        """Whether a picture and its questions are one row."""
        return should_pack(self.start.model.config.model_type, self.recipe)

    @cached_property
    def method(self) -> Method:
        """Who computes the attention of packed rows."""
        return choose_method(partial_state().device, guided=self.stage.guidance > 0)

    @cached_property
    def compiled(self) -> bool:
        """Not by itself what goes row by row: every batch would be compiled anew."""
        by_rows = self.packs and self.method == "rows"
        return should_compile(self.recipe.compile) and not (
            by_rows and self.recipe.compile == "auto"
        )

    @cached_property
    def bucketed(self) -> bool:
        """Whether rows are padded to a few lengths, each of which is compiled for itself."""
        return self.compiled and self.packs and self.method != "rows"

    @cached_property
    def grid(self) -> tuple[int, int]:
        """(columns, rows) of patches of every picture; nothing where it depends on the picture."""
        processor = self.start.processor
        try:
            return patch_grid(processor) if hasattr(processor, "patch_size") else (0, 0)
        except InputError:
            return (0, 0)

    @cached_property
    def batch(self) -> int:
        """Pictures per pass where the recipe leaves it open; asked of the memory that is free."""
        columns, rows = self.grid
        return images_per_pass(self.recipe, self.stage, self.start.model, columns * rows)

    def choose_eager_batch_builder(self) -> Callable[[list[EncodedConversation]], TrainingBatch]:
        """As `choose_batch_builder`, for passes without compiled layers or guided attention."""
        stage = msgspec.structs.replace(self.stage, guidance=0.0, readout=0.0)
        build: Any = Execution(self.recipe, stage, self.start).choose_batch_builder()
        if self.packs and self.method == "flex":
            build.keywords.update(method="sdpa", bucket=int)
        return build  # type: ignore[no-any-return]

    def choose_batch_builder(self) -> Callable[[list[EncodedConversation]], TrainingBatch]:
        """What makes a batch of pictures with their questions.

        Raises:
            InputError: guidance cannot be had so.
        """
        model, tokenizer = self.start.model, self.start.processor.tokenizer
        pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        guided = self.stage.guidance > 0
        if not self.packs:
            if guided:
                raise InputError(
                    "guidance needs the packed layout, which this model or recipe has not"
                )
            return partial(
                build_encoder_decoder_batch
                if model.config.is_encoder_decoder
                else build_padded_batch,
                pad=pad,
            )
        depth = model.config.get_text_config().num_hidden_layers
        if guided and not attention_guidance.guided_layers(depth):
            raise InputError(f"guidance: guides none of the {depth} layers; leave it out")
        return partial(
            build_packed_batch,
            pad=pad,
            guided=guided,
            rope_index=getattr(model.model, "get_rope_index", None),
            method=self.method,
            bucket=round_up_length if self.bucketed else int,
        )


@contextmanager
def accelerate_model(model: Any, execution: Execution) -> Iterator[str]:
    """While it lasts, a model computes the same numbers faster; gives execution, for people.

    Args:
        model: as it is trained, maybe wrapped by PEFT.
        execution: decided for the stage.
    """
    batch = execution.recipe.batch_of(execution.stage, execution.batch)
    row = f"a row each ({execution.method})" if execution.packs else "a row per question"
    notes = [f"{batch} picture{'s' * (batch > 1)} per pass, {row}"]
    with ExitStack() as during:
        if _has_updates(model, execution.stage):
            formed = (
                0 if is_sharded(execution.recipe) else during.enter_context(form_updates(model))
            )
            notes.append(
                "low-rank updates added within products, or formed with their weights"
                if formed
                else "low-rank updates by PEFT's own passes"
            )
        if torch.cuda.is_available() and execution.grid != (0, 0):
            during.enter_context(count_placeholders_once(execution.start.model))
        if execution.compiled:
            layers = during.enter_context(compile_layers(model, static=execution.bucketed))
            lengths = f", {SHAPES} lengths at most" * execution.bucketed
            notes.append(f"{layers} layers compiled" + lengths)
        yield "; ".join(notes)


def find_rounded_updates(model: Any, execution: Execution) -> str:
    """Why small updates of a stage will be lost to rounding, with what to do; "" if none will.

    PEFT's own passes add an update to an output that is rounded already. In fp16, whose steps are
    eight times finer, that is not warned of.
    """
    stage, recipe = execution.stage, execution.recipe
    if not _has_updates(model, stage) or choose_precision(recipe.precision).name != "bf16":
        return ""
    if stage.reinforce:
        cause = "reinforce"
    elif is_sharded(recipe):
        cause = f"distributed: {recipe.distributed}"
    elif count := count_other_layers(model):
        cause = "quantize: 4bit" if recipe.quantize else f"layers with dropout or DoRA: {count}"
    else:
        return ""
    return (
        f"low-rank updates by PEFT's own passes in bf16 ({cause}): small ones are lost to "
        "rounding; precision: fp32 keeps them"
    )


def _has_updates(model: Any, stage: Stage) -> bool:
    return isinstance(model, PeftModel) and "lora" in stage.parts
