"""Answers to many questions at once, about pictures that are each read once.

    keys and values of a prefix, P tokens: a picture and what the chat says before it
        ├─ [pad] [pad] Where is the dog ? ──► It is located at (4,52,13,63)
        └─ Where is the traffic light ? ────► There is no such object
    those of another picture, P tokens as well
        └─ [pad] [pad] [pad] Where is it ? ─► …

Positions count from the prefix and padding is never attended to, so a question is answered as if it
were asked alone (and as it was trained, see `training.engine.block_attention`). Only a causal
model can:
what it remembers of a picture must not depend on the question.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch.nn import functional as F
from transformers import Cache, DynamicCache, PreTrainedModel

from locvlm.families import get_family


def can_cache_prefix(model: PreTrainedModel) -> bool:
    """Whether what the model makes of a picture can be kept for the next question."""
    return get_family(model.config.model_type).prefix_cacheable


def can_batch_images(model: PreTrainedModel) -> bool:
    """Whether the model can be given several pictures in one pass (`read_prefixes`)."""
    return get_family(model.config.model_type).reads_several


@dataclass(frozen=True)
class Prefix:
    """What the model remembers of the P tokens before the questions."""

    cache: Cache  # never written to again
    length: int  # P
    shift: int = 0  # a question starts at position P + this: Qwen's pictures take fewer than tokens
    row: int = 0  # of the cache


@dataclass(frozen=True)
class Answer:
    """The tokens of one answer, without the one that ends it."""

    ids: list[int]
    complete: bool  # False: cut at the limit of tokens


@torch.inference_mode()
def read_prefix(model: PreTrainedModel, inputs: Mapping[str, torch.Tensor]) -> Prefix:
    """One pass over picture and chat: `inputs` are the model's, `input_ids` (1, P) among them."""
    cache = DynamicCache(config=model.config)
    model(**inputs, past_key_values=cache, use_cache=True, logits_to_keep=1)
    shift = getattr(model.base_model, "rope_deltas", None)
    return Prefix(cache, inputs["input_ids"].shape[1], 0 if shift is None else int(shift))


def read_prefixes(model: PreTrainedModel, inputs: Mapping[str, torch.Tensor]) -> list[Prefix]:
    """As `read_prefix`, of as many pictures as `input_ids` (B, P) has rows."""
    batch = read_prefix(model, inputs)
    return [replace(batch, row=row) for row in range(len(inputs["input_ids"]))]


class SelectToken(Protocol):
    """How the next token of answers is taken."""

    def __call__(
        self, logits: torch.Tensor, rows: Sequence[int], places: Sequence[int], /
    ) -> torch.Tensor:
        """(R,) tokens of (R, V) logits.

        Args:
            logits: of R tokens.
            rows: whose answer each is of, among the questions that were given together.
            places: how many tokens of its answer are before each.
        """


def select_likeliest(
    logits: torch.Tensor, rows: Sequence[int], places: Sequence[int]
) -> torch.Tensor:
    """Greedy decoding (a `SelectToken`)."""
    return logits.argmax(-1)


@torch.inference_mode()
def decode(
    model: PreTrainedModel,
    prefixes: Sequence[Prefix],
    questions: Sequence[Sequence[int]],
    stops: Collection[int],
    max_new_tokens: int,
    select_token: SelectToken = select_likeliest,
    *,
    steps: int = 1,
) -> list[Answer]:
    """One token after the other, for all questions at once; the likeliest, if not told otherwise.

    Args:
        prefixes: what stands before each question (B of them), all of one length P.
        questions: token ids of each (B of them, at least one token each), after its prefix.
        stops: the tokens that end an answer.
        max_new_tokens: an answer is cut there.
        select_token: how a token is taken.
        steps: tokens between two looks at which answers have ended, each of which waits for the
            device; what an answer says after its end is cut off.
    """
    ids, mask, positions = pad_questions(questions, prefixes, model.device)
    cache = join_caches(prefixes)
    answers: list[list[int]] = [[] for _ in questions]
    rows = list(range(len(questions)))  # whose answer a row of the batch is
    unseen: list[torch.Tensor] = []  # tokens (B, 1) that nobody has looked at
    for step in range(1, max_new_tokens + 1):
        logits = _next_logits(model, ids, mask, positions, cache)
        ids = select_token(logits, rows, [step - 1] * len(rows)).to(ids.device)[:, None]  # B, 1
        mask, positions = F.pad(mask, (0, 1), value=1), positions[:, -1:] + 1
        unseen.append(ids)
        if step % steps and step < max_new_tokens:
            continue
        new_tokens = torch.cat(unseen, dim=1).tolist()
        unseen = []
        for row, tokens in zip(rows, new_tokens, strict=True):
            answers[row] += tokens
        unfinished = [
            i for i, tokens in enumerate(new_tokens) if not any(t in stops for t in tokens)
        ]
        if not unfinished:
            break
        if len(unfinished) < len(rows):  # a finished answer leaves the batch
            left = torch.tensor(unfinished, device=model.device)
            cache.batch_select_indices(left)
            ids, mask, positions = ids[left], mask[left], positions[left]
            rows = [rows[i] for i in unfinished]
    return [cut_at_stop(answer, stops) for answer in answers]


def cut_at_stop(ids: list[int], stops: Collection[int]) -> Answer:
    """The tokens before the first of `stops`."""
    end = next((place for place, token in enumerate(ids) if token in stops), None)
    return Answer(ids[:end], end is not None)


def join_caches(prefixes: Sequence[Prefix]) -> Cache:
    """One cache with a row for each of the prefixes."""
    caches = list({id(prefix.cache): prefix.cache for prefix in prefixes}.values())
    cache = copy.copy(caches[0])
    cache.layers = [copy.copy(layer) for layer in caches[0].layers]
    first, starts = 0, {}  # the first row of each cache, where they lie one after the other
    for each in caches:
        starts[id(each)] = first
        first += len(each.layers[0].keys)
    places = [starts[id(prefix.cache)] + prefix.row for prefix in prefixes]
    rows = torch.tensor(places, device=caches[0].layers[0].keys.device)
    for number, layer in enumerate(cache.layers):
        parts = [each.layers[number] for each in caches]
        layer.keys = _rows([part.keys for part in parts], rows)
        layer.values = _rows([part.values for part in parts], rows)
    return cache


def _rows(parts: Sequence[torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
    whole = parts[0] if len(parts) == 1 else torch.cat(list(parts))
    return whole[rows]


def _next_logits(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: Cache
) -> torch.Tensor:
    """(B, V) logits of the token that follows `ids` (B, L); `mask` is (B, all tokens so far)."""
    out = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    logits: torch.Tensor = out.logits[:, -1]
    return logits


def pad_questions(
    questions: Sequence[Sequence[int]], prefixes: Sequence[Prefix], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids (B, L) padded on the left, mask (B, P + L) and positions (B, L) that go on from P."""
    longest = max(map(len, questions))
    pads = torch.tensor([longest - len(question) for question in questions], device=device)
    # Any token can pad, since none is attended to
    rows = [[0] * (longest - len(question)) + list(question) for question in questions]
    ids = torch.tensor(rows, device=device)
    own = torch.arange(longest, device=device) - pads[:, None]  # negative where padded
    mask = F.pad((own >= 0).long(), (prefixes[0].length, 0), value=1)
    starts = torch.tensor([prefix.length + prefix.shift for prefix in prefixes], device=device)
    return ids, mask, starts[:, None] + own.clamp(min=0)
