"""Answers of models that read a picture and the question about it as one.

PaliGemma looks from the picture at the question, and Florence-2's encoder does, so nothing of a
picture can be remembered. And of a family that nobody has tried here it is not known whether
anything can. Rows of a batch are about one picture and of one length: nothing is padded, which
models do not agree on how to do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F
from transformers import LogitsProcessor, LogitsProcessorList, PreTrainedModel

from locvlm.families import TOKEN_TYPES, get_family
from locvlm.inference.decoding import Answer, SelectToken, cut_at_stop, select_likeliest
from locvlm.models.image_masks import extend_image_masks

# Greedy, whatever the model's own configuration would rather do
_GREEDY: dict[str, Any] = {
    "do_sample": False,
    "num_beams": 1,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
}


@dataclass(frozen=True)
class UncachedPrefix:
    """A picture and the P tokens before the questions, as the model will be given them."""

    inputs: Mapping[str, torch.Tensor]  # `input_ids` (1, P) among them
    length: int  # P


def prepare_prefix(model: PreTrainedModel, inputs: Mapping[str, torch.Tensor]) -> UncachedPrefix:
    """In the place of `read_prefix`: the model cannot read yet."""
    # PaliGemma's processor writes labels, too
    used = {name: value for name, value in inputs.items() if name != "labels"}
    return UncachedPrefix(used, used["input_ids"].shape[1])


@torch.inference_mode()
def decode_uncached(
    model: PreTrainedModel,
    prefixes: Sequence[UncachedPrefix],
    questions: Sequence[Sequence[int]],
    stops: Collection[int],
    max_new_tokens: int,
    select_token: SelectToken = select_likeliest,
) -> list[Answer]:
    """As `decoding.decode`; all prefixes are the same one, all questions of one length."""
    inputs = _rows(model, prefixes[0], questions)
    ends = sorted(stops)
    only_taken = [] if select_token is select_likeliest else [_OnlyTaken(select_token)]
    outputs = model.generate(
        **inputs,
        **_GREEDY,
        max_new_tokens=max_new_tokens,
        eos_token_id=ends,
        pad_token_id=ends[0],
        logits_processor=LogitsProcessorList(only_taken),
    )
    # a decoder begins anew, with a token of its own
    before = 1 if model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
    return [cut_at_stop(row[before:].tolist(), stops) for row in outputs]


class _OnlyTaken(LogitsProcessor):
    """Leaves `generate` no token but the one that is taken of each row."""

    def __init__(self, select_token: SelectToken):
        self._select, self._place = select_token, 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        rows = range(len(scores))
        taken = self._select(scores, rows, [self._place] * len(scores)).to(scores.device)
        self._place += 1
        return torch.full_like(scores, -torch.inf).scatter(1, taken[:, None], 0.0)


@torch.inference_mode()
def uncached_log_likelihoods(
    model: PreTrainedModel,
    prefixes: Sequence[UncachedPrefix],
    questions: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
) -> list[float]:
    """As `likelihood.log_likelihoods`; one prefix, all questions and answers of one length each.

    Of an encoder–decoder, the answers include what its decoder begins with.
    """
    targets = torch.tensor(answers, device=model.device)  # B, A
    if model.config.is_encoder_decoder:
        start = _decoder_start(model)
        inputs = _rows(model, prefixes[0], questions)
        inputs["decoder_input_ids"] = F.pad(targets[:, :-1], (1, 0), value=start)
    else:
        inputs = _rows(model, prefixes[0], questions, [row[:-1] for row in answers])
    out = model(**inputs, use_cache=False, logits_to_keep=targets.shape[1])
    log_probs = out.logits[:, -targets.shape[1] :].float().log_softmax(-1)  # B, A, V
    scores: list[float] = log_probs.gather(-1, targets[..., None]).sum((1, 2)).tolist()
    return scores


def _decoder_start(model: PreTrainedModel) -> int:
    """The token that a decoder begins with, as `generate` takes it: else its BOS."""
    generation, decoder = model.generation_config, model.config.get_text_config(decoder=True)
    starts = (
        generation.decoder_start_token_id,
        getattr(decoder, "decoder_start_token_id", None),
        generation.bos_token_id,
        decoder.bos_token_id,
    )
    return next(start for start in starts if start is not None)


def _rows(
    model: PreTrainedModel,
    prefix: UncachedPrefix,
    questions: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]] = (),
) -> dict[str, torch.Tensor]:
    """The model's inputs for each question, and for the beginning of its answer."""
    inputs = {
        # Unlimited-OCR's numbers of tiles are lists
        name: value * len(questions)
        if isinstance(value, list)
        else torch.cat([value] * len(questions))
        for name, value in prefix.inputs.items()
    }
    answer_type = get_family(model.config.model_type).answer_token_type
    for texts, token_type in ((questions, 0), (answers, answer_type)):
        if not texts:
            continue
        ids = torch.tensor(texts, dtype=torch.long, device=inputs["input_ids"].device)
        inputs["input_ids"] = torch.cat([inputs["input_ids"], ids], dim=1)
        inputs = extend_image_masks(inputs, text=ids.shape[1])
        more = (0, ids.shape[1])
        inputs["attention_mask"] = F.pad(inputs["attention_mask"], more, value=1)
        for name in TOKEN_TYPES:
            if name in inputs:
                value = token_type if name == "token_type_ids" else 0
                inputs[name] = F.pad(inputs[name], more, value=value)
    return inputs
