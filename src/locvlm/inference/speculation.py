"""One answer whose usual words are guessed, and checked in one pass instead of one by one.

    Where is the dog ? | It is located at (     guessed, and read together with the question
                         It is located at ( 4   after each of them, the likeliest token

A guessed token is kept where it is the one taken after those before it, so the answer is the one
without guesses. So it is where tokens are drawn, for a token's random number is its own (see
`sampling`). A pass takes about as long for some tokens as for one: on a CPU it is the weights
that have to be read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from transformers import Cache, DynamicLayer, PreTrainedModel

from locvlm.inference.decoding import (
    Answer,
    Prefix,
    SelectToken,
    join_caches,
    select_likeliest,
)

LEAST = 3  # guessed tokens; two rows of a matrix product take nearly as long as two products


def can_guess(prefix: Prefix) -> bool:
    """Whether what the model has read can be taken back."""
    return all(type(layer) is DynamicLayer for layer in prefix.cache.layers)


@torch.inference_mode()
def decode_speculatively(
    model: PreTrainedModel,
    prefix: Prefix,
    question: Sequence[int],
    stops: Collection[int],
    max_new_tokens: int,
    guesses: Sequence[Sequence[int]],
    select_token: SelectToken = select_likeliest,
) -> Answer:
    """As `decoding.decode`, of one question.

    Args:
        prefix: what stands before the question; one that `can_guess`.
        question: its token ids, at least one.
        stops: the tokens that end an answer.
        max_new_tokens: the answer is cut there.
        guesses: how answers often begin, as token ids without an end, the most usual first.
        select_token: how a token is taken.
    """
    cache = join_caches([prefix])
    answer: list[int] = []
    unread = list(question)
    while len(answer) < max_new_tokens:
        guess = _guess(answer, guesses)[: max_new_tokens - len(answer) - 1]
        logits = _read(model, prefix, cache, unread + guess, len(guess) + 1)
        places = [len(answer) + i for i in range(len(logits))]
        taken = select_token(logits, [0] * len(logits), places).tolist()
        right = _agreeing(guess, taken)
        for layer in cache.layers:
            layer.crop(right - len(guess))
        for token in taken[: right + 1]:
            if token in stops:
                return Answer(answer, complete=True)
            answer.append(token)
        unread = answer[-1:]
    return Answer(answer, complete=False)


def common_start(answers: Sequence[Sequence[int]]) -> list[int]:
    """The tokens with which all of some answers begin."""
    first, *others = answers
    return list(first[: min([len(first), *(_agreeing(first, other) for other in others)])])


def _guess(answer: Sequence[int], guesses: Sequence[Sequence[int]]) -> list[int]:
    """How the answer may go on: as the first guess that begins like it, and is long enough."""
    done = len(answer)
    for guess in guesses:
        if len(guess) >= done + LEAST and list(guess[:done]) == answer:
            return list(guess[done:])
    return []


def _agreeing(some: Sequence[int], others: Sequence[int]) -> int:
    """How many tokens are the same before the first that is not."""
    pairs = enumerate(zip(some, others, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(some), len(others)))


def _read(model: Any, prefix: Prefix, cache: Cache, ids: Sequence[int], last: int) -> torch.Tensor:
    """(L, V) logits after each of the L `last` of `ids`, which follow what is in the cache."""
    before, device = cache.get_seq_length(), model.device
    positions = torch.arange(before, before + len(ids), device=device) + prefix.shift
    out = model(
        input_ids=torch.tensor([ids], device=device),
        attention_mask=torch.ones(1, before + len(ids), dtype=torch.long, device=device),
        position_ids=positions[None],
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=last,
    )
    logits: torch.Tensor = out.logits[0]
    return logits
