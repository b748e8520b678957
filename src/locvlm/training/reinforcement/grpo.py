"""Learning from rewards for sampled answers: GRPO (arXiv 2402.03300), by TRL's trainer.

    picture, question ─► 8 answers, sampled ─► rewards ─► those above the group's mean get likelier

Needs TRL (`pip install locvlm[reinforce]`), so it is imported only by a stage that does this.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import torch
from datasets import Dataset
from PIL import Image
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR
from trl import GRPOConfig, GRPOTrainer

from locvlm.compat.gradient_checkpointing import SETTING
from locvlm.compat.grpo_log_probs import LogProbsTrainer
from locvlm.compat.trainer_hooks import HookedTrainer
from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.instructions.base import flip
from locvlm.instructions.objectives import negpred
from locvlm.instructions.render import render
from locvlm.training.adapters import choose_trained
from locvlm.training.data.sampler import Visit, VisitSampler
from locvlm.training.data.skipped_images import FILE, SkippedImages
from locvlm.training.engine.checkpoints import explain_write_errors
from locvlm.training.engine.finite import CheckFinite
from locvlm.training.engine.json_lines import JsonLines
from locvlm.training.engine.part_rates import PartRatesTrainer
from locvlm.training.engine.training_arguments import stage_settings
from locvlm.training.recipe import Recipe, Reinforce, Stage
from locvlm.training.reinforcement.rewards import REWARDS, Reward, Truth
from locvlm.training.reinforcement.rollouts import RolloutSampler, log_probs
from locvlm.training.start import Start

REFERENCE = "ref"  # TRL's name of the frozen copy that beta measures the divergence from


class Prompts:
    """One question per visit, as TRL takes it, with its truth.

    Args:
        visits: of one question each, about boxes.
        start: whose frame and coordinate format the questions are written in.

    Raises:
        InputError: a question is about a point, whose overlap is nothing.
    """

    def __init__(self, visits: VisitSampler, start: Start):
        self.visits, self.start = visits, start
        for conversation in visits.conversations:
            for item in conversation.instructions:
                if item.objective in visits.questions and item.kind != "box":
                    raise InputError(
                        f"{conversation.image}: {item.question!r} asks for a point; reinforce "
                        "needs boxes, build the data set with --kind box"
                    )
        self.skipped = SkippedImages(len(visits.conversations))
        # TRL asks for a question once per answer and once per part of a step
        self.prompt = lru_cache(64)(self._prompt)

    def _prompt(self, number: int) -> dict[str, Any]:
        return self.visits.show(number, self._ask, self.skipped)

    def _ask(self, visit: Visit) -> dict[str, Any]:
        conversation = flip(visit.conversation) if visit.flipped else visit.conversation
        size = conversation.width, conversation.height
        (instruction,) = conversation.instructions
        frame = self.start.coordinates.frame_on(self.start.processor, size)
        question, answer = render(instruction, self.start.coordinates, frame)
        box = next((place for place in instruction.locations if isinstance(place, Box)), None)
        return {
            "prompt": [{"role": "user", "content": question}],
            "image": visit.open(None),
            "truth": Truth(box, negpred.ANSWER if box else answer, frame),
        }


class ReinforcementTrainer(PartRatesTrainer, HookedTrainer, LogProbsTrainer):
    """TRL's trainer, visiting in order, with a rate per part and a JSONL log."""

    def __init__(self, model: Any, prompts: Prompts, recipe: Recipe, stage: Stage, folder: Path):
        self.stage = stage
        grpo: Reinforce = stage.reinforce or Reinforce()
        weights = {name: w for name, w in msgspec.structs.asdict(grpo.rewards).items() if w}
        start, self.skipped = prompts.start, prompts.skipped
        self.skipped.file = folder / FILE
        self.sampler = RolloutSampler(start.processor, grpo.temperature, grpo.max_new_tokens)
        super().__init__(
            model=model,
            rollout_func=self._sample_answers,
            reward_funcs=[_reward_function(name, start.coordinates) for name in weights],
            args=_build_grpo_config(stage, grpo, folder, recipe, list(weights.values())),
            train_dataset=Dataset.from_dict({"visit": range(stage.total_steps * stage.images)}),
            processing_class=start.processor,
            callbacks=[JsonLines(folder / "log.jsonl"), CheckFinite()],
        )
        self.data_collator = lambda rows: [prompts.prompt(row["visit"]) for row in rows]
        choose_trained(model, stage.parts)  # the copy for beta has made other parts trainable
        for name, parameter in model.named_parameters():
            if f".{REFERENCE}." in name:
                parameter.requires_grad_(False)

    def _sample_answers(self, prompts: list[Any], _: GRPOTrainer) -> dict[str, Any]:
        """Answers as TRL wants them; it repeats each question `num_generations` times."""
        count = self.num_generations
        # What is trained is float32, the rest bfloat16
        with self.accelerator.autocast():
            prompt_ids, completion_ids = self.sampler.sample(
                self.model, list(map(_image_and_question, prompts[::count])), count
            )
        return {"prompt_ids": prompt_ids, "completion_ids": completion_ids, "logprobs": None}

    def token_log_probs(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        length: int,
        pixel_values: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As of the base; each picture is encoded once."""
        prompts, answers = input_ids[:, :-length], input_ids[:, -length:]
        mask = attention_mask[:, :-length].bool()
        with self.accelerator.autocast():
            return log_probs(
                model,
                [row[own].tolist() for row, own in zip(prompts, mask, strict=True)],
                [{"pixel_values": row[None].to(model.dtype)} for row in pixel_values],
                answers,
                self.temperature,
            )

    def save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """As `Trainer`'s; a disk that is full is said in one line."""
        step = f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        with explain_write_errors(Path(self.args.output_dir) / step):
            super().save_checkpoint(*args, **kwargs)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """None: `locvlm.json` says what a stage leaves."""

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """As TRL's, then without the copy that beta needed."""
        result = super().train(*args, **kwargs)
        if REFERENCE in self.model.peft_config:
            self.model.delete_adapter(REFERENCE)
        return result


def _build_grpo_config(
    stage: Stage, grpo: Reinforce, folder: Path, recipe: Recipe, weights: list[float]
) -> GRPOConfig:
    """As other stages', with a row per answer."""
    shared = stage_settings(stage, folder, recipe)
    shared["per_device_train_batch_size"] *= grpo.samples
    shared |= {SETTING: False, "logging_steps": 1}  # a step is long
    return GRPOConfig(
        **shared,
        num_generations=grpo.samples,
        temperature=grpo.temperature,
        beta=grpo.beta,
        max_completion_length=grpo.max_new_tokens,
        reward_weights=weights,
        shuffle_dataset=False,  # the visits are already in order
    )


def _image_and_question(prompt: list[dict[str, Any]]) -> tuple[Image.Image, str]:
    """Picture and question of a prompt as TRL puts it."""
    image, question = prompt[0]["content"]
    return image["image"], question["text"]


def _reward_function(name: str, coordinates: CoordinateFormat) -> Callable[..., list[float | None]]:
    """A reward as TRL calls it: once for all answers of a step."""
    reward: Reward = REWARDS[name]

    def compute_rewards(completions: list[Any], truth: list[Truth], **_: Any) -> list[float | None]:
        texts = [message["content"].strip() for (message,) in completions]
        return [reward(text, right, coordinates) for text, right in zip(texts, truth, strict=True)]

    compute_rewards.__name__ = name  # what the log calls it
    return compute_rewards
