"""Vocabularies of a few hundred tokens, learnt from what our questions and answers say."""

import json

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SPOKEN = [
    "Where is the object described dog located in image in terms of (x1,y1,x2,y2) bbox?",
    "Describe the object located at (4,52,13,63)? There is a cat. It is located at (0,1,2,3)",
    "There is no such object in the image. Which side of person is the traffic light located?",
    "USER: What is this? ASSISTANT: You are a helpful assistant. system user [INST] [/INST]",
]


def byte_level() -> dict[str, object]:
    """``vocab`` and ``merges`` over bytes, as GPT-2, BART and Qwen have them."""
    splitting = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    return _learn(splitting, [], pre_tokenizers.ByteLevel.alphabet(), 400)


def sentencepiece(specials: list[str]) -> dict[str, object]:
    """``vocab`` and ``merges`` over words that begin with ▁; other characters fall back to bytes.

    `specials` come first, as in the vocabularies of Llama and Gemma.
    """
    splitting = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Digits(individual_digits=True)]
    )
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    letters = sorted(set("".join(SPOKEN)) | set("0123456789"))
    return _learn(splitting, [*specials, *bytes_], letters, 600)


def _learn(
    splitting: pre_tokenizers.PreTokenizer, first: list[str], letters: list[str], size: int
) -> dict[str, object]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = splitting
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=first, initial_alphabet=letters, show_progress=False
    )
    tokenizer.train_from_iterator(SPOKEN, trainer)
    learnt = json.loads(tokenizer.to_str())["model"]
    return {"vocab": learnt["vocab"], "merges": [tuple(pair) for pair in learnt["merges"]]}
