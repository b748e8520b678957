"""How likely given answers are: one pass for all of them, and no token is generated.

keys and values of a prefix
    ├─ [pad] Is there a dog ? Yes ──► log p(Yes, end)
    └─ [pad] Is there a dog ? No ───► log p(No, end)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from locvlm.inference.decoding import Prefix, joined, padded


@torch.inference_mode()
def log_likelihoods(
    model: PreTrainedModel,
    prefixes: Sequence[Prefix],
    questions: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
) -> list[float]:
    """The logarithm of the chance that what follows a question begins with its answer, in nats.

    Args:
        model: reads tokens after the prefixes.
        prefixes: what stands before each question (B of them), all of one length P.
        questions: token ids of each (B of them, at least one token each).
        answers: token ids of each (B of them, at least one token each).
    """
    rows = [[*asked, *said[:-1]] for asked, said in zip(questions, answers, strict=True)]
    ids, mask, positions = padded(rows, prefixes, model.device)
    longest = max(map(len, answers))
    out = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=joined(prefixes),
        use_cache=True,
        logits_to_keep=longest,  # the last of a row predicts the last token of its answer
    )
    ends = [[0] * (longest - len(said)) + list(said) for said in answers]
    told = torch.tensor(ends, device=model.device)[..., None]  # B, longest, 1
    # Row by row, for logits of all in float32 may be gigabytes; the device is waited for once
    chances = [
        out.logits[row, -len(said) :].float().log_softmax(-1).gather(-1, told[row, -len(said) :])
        for row, said in enumerate(answers)
    ]
    found: list[float] = torch.stack([chance.sum() for chance in chances]).tolist()
    return found
