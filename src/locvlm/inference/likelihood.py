"""How likely given answers are: one pass for all of them, and no token is generated.

keys and values of a prefix
    ├─ [pad] Is there a dog ? Yes ──► log p(Yes, end)
    └─ [pad] Is there a dog ? No ───► log p(No, end)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from locvlm.inference.decoding import Prefix, join_caches, pad_questions


@torch.inference_mode()
def log_likelihoods(
    model: PreTrainedModel,
    prefixes: Sequence[Prefix],
    questions: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
) -> list[float]:
    """The log-probability, in nats, that what follows a question begins with its answer.

    Args:
        model: reads tokens after the prefixes.
        prefixes: what stands before each question (B of them), all of one length P.
        questions: token ids of each (B of them, at least one token each).
        answers: token ids of each (B of them, at least one token each).
    """
    rows = [[*question, *answer[:-1]] for question, answer in zip(questions, answers, strict=True)]
    ids, mask, positions = pad_questions(rows, prefixes, model.device)
    longest = max(map(len, answers))
    out = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=join_caches(prefixes),
        use_cache=True,
        logits_to_keep=longest,  # the last of a row predicts the last token of its answer
    )
    padded = [[0] * (longest - len(answer)) + list(answer) for answer in answers]
    targets = torch.tensor(padded, device=model.device)[..., None]  # B, longest, 1
    # Row by row, for logits of all in float32 may be gigabytes; the device is waited for once
    log_probs = [
        out.logits[row, -len(answer) :]
        .float()
        .log_softmax(-1)
        .gather(-1, targets[row, -len(answer) :])
        for row, answer in enumerate(answers)
    ]
    sums: list[float] = torch.stack([tokens.sum() for tokens in log_probs]).tolist()
    return sums
