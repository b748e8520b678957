"""Sampled answers and how likely they are; picture and question are read once for all of them.

    picture, question ─┬─► It is located at (4,52,13,63)
     keys and values   ├─► It is located at (9,50,20,71)
                       └─► There is no such object in the image

The same numbers as row by row, for the work of one row and the answers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from transformers import DynamicCache

from locvlm.inference.decoding import (
    Answer,
    Prefix,
    decode,
    join_caches,
    pad_questions,
    read_prefix,
)
from locvlm.models.chat_tokens import ChatTokens


class RolloutSampler:
    """Draws answers from a model.

    Args:
        processor: the model's.
        temperature: of the draws.
        max_new_tokens: an answer is cut there.
    """

    def __init__(self, processor: Any, temperature: float, max_new_tokens: int):
        self.processor, self.temperature = processor, temperature
        self.max_new_tokens = max_new_tokens
        self._chat = ChatTokens(processor)
        self._image = _image_ids(processor)
        self._end: int = self._chat.tokens(self._chat.chat.after)[0]  # as answers are taught to end

    def sample(
        self, model: Any, questions: Sequence[tuple[Image.Image, str]], count: int
    ) -> tuple[list[list[int]], list[list[int]]]:
        """`count` answers to each question about its picture.

        Returns:
            Token ids of what each answer follows, and of the answer with the token that ends it
            (Q * count of both; those of a question one after the other).
        """
        prompts: list[list[int]] = []
        answers: list[list[int]] = []
        for image, question in questions:
            inputs = self._chat.prefix(image)
            ids = self._chat.question(question)
            placed = inputs.to(model.device, dtype=model.dtype)  # only floats are cast
            prefix = read_prefix(model, placed)
            sampled = decode(
                model,
                [prefix] * count,
                [ids] * count,
                {self._end},
                self.max_new_tokens,
                self._draw,
            )
            prompts += [inputs["input_ids"][0].tolist() + ids] * count
            answers += map(self._with_end, sampled)
        return prompts, answers

    def _draw(self, logits: torch.Tensor, *_: Any) -> torch.Tensor:
        # A picture's placeholder in an answer would stand for a picture that is not there
        logits = logits.index_fill(1, torch.tensor(self._image, device=logits.device), -torch.inf)
        return torch.multinomial((logits.float() / self.temperature).softmax(-1), 1)[:, 0]

    def _with_end(self, answer: Answer) -> list[int]:
        return [*answer.ids, self._end] if answer.complete else answer.ids


def _image_ids(processor: Any) -> list[int]:
    """Of the token that stands for an image; none where the processor names none."""
    token = getattr(processor, "image_token", None)
    return [] if token is None else [processor.tokenizer.convert_tokens_to_ids(token)]


def log_probs(
    model: Any,
    prompts: Sequence[Sequence[int]],
    images: Sequence[Mapping[str, torch.Tensor]],
    answers: torch.Tensor,
    temperature: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each token of an answer the log-likelihood, and the entropy where it was drawn, in nats.

    Gradients pass through all of it, the shared beginnings too.

    Args:
        model: what answers.
        prompts: token ids before each answer (B of them).
        images: the model's inputs for the picture of each (B of them).
        answers: (B, A) token ids, padded on the right; what is padded has some value, too.
        temperature: the logits are divided by it.

    Returns:
        (B, A) both.
    """
    same: dict[Any, list[int]] = defaultdict(list)
    for row, (prompt, image) in enumerate(zip(prompts, images, strict=True)):
        same[tuple(prompt), *map(_content_key, image.values())].append(row)
    parts, order = [], []
    for rows in same.values():
        first = rows[0]
        logits = _logits(model, prompts[first], images[first], answers[rows]) / temperature
        parts.append(logits.float().log_softmax(-1))
        order += rows
    token_log_probs = torch.cat(parts)[torch.tensor(order).argsort()]
    entropy = -(token_log_probs.exp() * token_log_probs).sum(-1)
    return token_log_probs.gather(-1, answers[..., None])[..., 0], entropy


def _logits(
    model: Any, prompt: Sequence[int], image: Mapping[str, torch.Tensor], answers: torch.Tensor
) -> torch.Tensor:
    """(B, A, V) logits of the tokens of `answers` (B, A) to one question."""
    ids = torch.tensor([list(prompt)], device=answers.device)
    cache = DynamicCache(config=model.config)
    first = model(
        input_ids=ids, **image, past_key_values=cache, use_cache=True, logits_to_keep=1
    ).logits
    rows, length = answers.shape
    first = first.expand(rows, 1, -1)
    if length == 1:
        return first
    prefix = Prefix(cache, len(prompt))
    input_ids, mask, positions = pad_questions(
        answers[:, :-1].tolist(), [prefix] * rows, answers.device
    )
    rest = model(
        input_ids=input_ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=join_caches([prefix] * rows),
        use_cache=True,
    ).logits
    return torch.cat([first, rest], dim=1)


def _content_key(tensor: torch.Tensor) -> bytes:
    return tensor.detach().float().cpu().numpy().tobytes()
