"""How much is computed at once, which the device decides.

A CPU is as fast with some rows as with many. A GPU has done a step before the next is described to
it: many rows take as long as few, and to look at what it wrote is to wait for it. So there as many
questions are answered at once as keys and values have room for, several pictures are read in one
pass, and finished answers are looked for only now and then. What comes out is the same: rows know
nothing of each other, and what an answer says after its end is cut off.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from locvlm.inference.decoding import can_batch_images, can_cache_prefix

QUESTIONS = 512  # beyond, an H100 has enough to do
IMAGES = 32  # a pass over them holds all that the layers compute
STEPS = 4  # an answer has some twenty tokens
SHARE = 0.5  # of the memory that is free; the rest is for what layers compute, and for logits
COPIES = 3  # of keys and values: a picture's, a question's, and those while a token is added


@dataclass(frozen=True)
class Batching:
    """How much is computed at once; the defaults are those of a CPU."""

    questions: int = 32  # answered at once, at most: so memory stays bounded
    images: int = 1  # read in one pass, at most
    steps: int = 1  # tokens between two looks at which answers have ended
    tokens: int | None = None  # whose keys and values there is room for; None: not limited

    def rows(self, length: int) -> int:
        """How many rows of `length` tokens are computed at once."""
        if self.tokens is None:
            return self.questions
        return max(1, min(self.questions, self.tokens // length))


def batching_for(model: PreTrainedModel) -> Batching:
    """For a model where it is now, with its weights there."""
    if model.device.type != "cuda" or not can_cache_prefix(model):
        return Batching()
    tokens = int(SHARE * _free_bytes(model.device)) // (COPIES * token_bytes(model))
    return Batching(QUESTIONS, IMAGES if can_batch_images(model) else 1, STEPS, tokens)


def token_bytes(model: PreTrainedModel) -> int:
    """Of the keys and values of one token, in all layers."""
    config = model.config.get_text_config(decoder=True)
    heads = config.num_attention_heads
    key_heads = getattr(config, "num_key_value_heads", None) or heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    return 2 * int(config.num_hidden_layers) * int(key_heads) * int(size) * model.dtype.itemsize


def _free_bytes(device: torch.device) -> int:
    """Bytes that are free on a GPU, or kept by PyTorch for what comes next."""
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
