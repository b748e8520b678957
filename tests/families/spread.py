"""Random weights wide enough that picture and question change the answer."""

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase


def spread(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """The model with new weights, and the tokenizer's end of an answer."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:  # the norms and biases stay
                weight.normal_(std=0.3)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model.eval()
