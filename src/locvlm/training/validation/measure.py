"""What a model makes of a sample: the loss of the right answers, and the scores of its own ones.

    eval_loss, eval_token_accuracy   as training has them, of each image the mean
    eval_iou, eval_accuracy          of the first box of its answer; the share with 0.5 or more
    eval_presence                    share of right answers to "Is there … in this image?"

Nothing of a training run is changed by it: neither weights nor random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object, send_to_device

from locvlm.compat.model_layers import text_attention, use_text_attention
from locvlm.distributed import Process, partial_state
from locvlm.errors import UnusableImageError
from locvlm.geometry import Size
from locvlm.inference.predictor import WHERE, Predictor
from locvlm.instructions.objectives import negpred
from locvlm.instructions.objectives.presence import says_no
from locvlm.runtime.precision import choose_precision
from locvlm.training.data.collator import Collator
from locvlm.training.data.feature_cache import use_own_encoder
from locvlm.training.engine.block_attention import use_block_attention
from locvlm.training.engine.execution import Execution
from locvlm.training.engine.sharding import is_sharded
from locvlm.training.reinforcement.rewards import Truth, iou
from locvlm.training.tasks.supervised import AnswerTask, answer_loss
from locvlm.training.validation.sample import AskedImage, Sample

IS_THERE = "Is there {category} in this image?"
HIT = 0.5  # of the intersection over union


class LookStopped(Exception):
    """A signal asks for the end of the run: the look is taken again when it goes on."""


@dataclass(frozen=True)
class Measurer:
    """Looks at samples with the model that a stage trains.

    Args:
        execution: of the stage: its recipe, start, and layout.
        attention: of the language model, where it answers.
        is_stopping: whether the run is to end.
    """

    execution: Execution
    attention: str
    is_stopping: Callable[[], bool]

    @classmethod
    def of(cls, execution: Execution, is_stopping: Callable[[], bool] = lambda: False) -> Measurer:
        """Made before a stage changes how its model computes."""
        return cls(execution, text_attention(execution.start.model), is_stopping)

    @property
    def asks(self) -> bool:
        """Whether answers can be had: not of a model that no process has whole."""
        kinds = self.execution.start.coordinates.kinds
        recipe = self.execution.recipe
        return not is_sharded(recipe) and "box" in kinds and not recipe.points

    def measure(self, sample: Sample, wrapped: Any = None) -> dict[str, float]:
        """Figures by name; none of what was not asked.

        Args:
            sample: what is looked at.
            wrapped: the model as a trainer has it, which the loss of one in pieces needs.

        Raises:
            LookStopped: the run is to end.
        """
        everyone = partial_state()
        process = Process(everyone.process_index, everyone.num_processes)
        if is_sharded(self.execution.recipe):  # all compute every layer together
            process = Process()
        with self._looking():
            numbers = process.share(range(sample.images))
            losses = list(self._losses(sample, numbers, wrapped or self.execution.start.model))
            answers = self._ask(process.share(sample.asked))
        if process.count > 1:
            losses, answers = gather_object(losses), gather_object(answers)
        return _sum_up(losses, answers)

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """While it lasts, the model computes as if it were alone; then all is as it was."""
        model, recipe = self.execution.start.model, self.execution.recipe
        precision = choose_precision(recipe.precision)
        modes = {module: module.training for module in model.modules()}
        deltas = getattr(model.base_model, "rope_deltas", None)
        with ExitStack() as during:
            during.enter_context(_keep_random_state())
            during.enter_context(use_own_encoder(model))
            if self.execution.compiled:  # for training's shapes
                during.enter_context(torch.compiler.set_stance("force_eager"))
            during.enter_context(torch.no_grad())
            device = partial_state().device.type
            half = torch.float16 if precision.name == "fp16" else torch.bfloat16
            during.enter_context(torch.autocast(device, half, enabled=precision.mixed))
            model.eval()
            try:
                yield
            finally:
                for module, mode in modes.items():
                    module.training = mode
                if hasattr(model.base_model, "rope_deltas"):  # Qwen-VL's, of what was asked last
                    model.base_model.rope_deltas = deltas

    def _losses(
        self, sample: Sample, numbers: Sequence[int], model: Any
    ) -> Iterator[tuple[float, float]]:
        """Of each image the loss and the share of tokens that are likeliest."""
        execution, start, recipe = self.execution, self.execution.start, self.execution.recipe
        collator = Collator(
            start.processor,
            start.coordinates,
            max_tokens=recipe.max_tokens,
            truncate=recipe.truncate,
        )
        build = execution.choose_eager_batch_builder()
        task = AnswerTask(sample.visits, collator, sample.images, build)
        with use_block_attention(start.model) if execution.packs else nullcontext():
            for number in numbers:
                self._check()
                batch = send_to_device(task.batch([task.data[number]]), partial_state().device)
                logits = model(**batch.inputs, use_cache=False).logits
                loss, accuracy = answer_loss(logits, batch)
                yield float(loss), float(accuracy)

    def _ask(self, asked: Sequence[AskedImage]) -> list[tuple[str, float]]:
        """Of each answer what is measured of it, and how good it is."""
        start = self.execution.start
        if not asked or not self.asks:
            return []
        predictor = Predictor(start.model, start.processor, start.coordinates)
        found: list[tuple[str, float]] = []
        for one, size, texts in self._answer(predictor, asked):
            frame = predictor.text_frame(size)
            rest = iter(texts)
            for item in one.objects:
                truth = Truth(item.box, negpred.ANSWER, frame)
                found.append(("iou", iou(next(rest), truth, start.coordinates) or 0.0))
            found += [("presence", float(not says_no(next(rest)))) for _ in one.present]
            found += [("presence", float(says_no(next(rest)))) for _ in one.absent]
        return found

    def _answer(
        self, predictor: Predictor, asked: Sequence[AskedImage]
    ) -> list[tuple[AskedImage, Size, list[str]]]:
        """The answers about each image with its size; none about one that cannot be shown."""
        kind = predictor.coordinates.repr_of("box")
        shown = []
        for one in asked:
            where = [WHERE.format(category=item.category, repr=kind) for item in one.objects]
            there = [IS_THERE.format(category=name) for name in (*one.present, *one.absent)]
            with suppress(UnusableImageError):
                shown.append((one, predictor.open(one.path), where + there))
        model, packs = self.execution.start.model, self.execution.packs
        with use_text_attention(model, self.attention) if packs else nullcontext():
            while shown:
                self._check()
                try:
                    answers = predictor.answer_all([(view, texts) for _, view, texts in shown])
                except UnusableImageError as error:  # of a processor
                    if error.place is None:
                        raise
                    del shown[error.place]
                    continue
                pairs = zip(shown, answers, strict=True)
                return [(one, view.size, texts) for (one, view, _), texts in pairs]
        return []

    def _check(self) -> None:
        if partial_state().num_processes == 1 and self.is_stopping():
            raise LookStopped


def _sum_up(
    losses: Sequence[tuple[float, float]], answers: Sequence[tuple[str, float]]
) -> dict[str, float]:
    figures = {}
    if losses:
        figures["loss"], figures["token_accuracy"] = map(fmean, zip(*losses, strict=True))
    if overlaps := [value for name, value in answers if name == "iou"]:
        figures["iou"] = fmean(overlaps)
        figures["accuracy"] = fmean(value >= HIT for value in overlaps)
    if right := [value for name, value in answers if name == "presence"]:
        figures["presence"] = fmean(right)
    return {name: round(value, 6) for name, value in figures.items()}


@contextmanager
def _keep_random_state() -> Iterator[None]:
    """While it lasts, random numbers may be drawn that nobody misses afterwards."""
    before: Any = np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            np.random.set_state(before)
