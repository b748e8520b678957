"""Questions and answers as tokens, the same ones in training and in use.

Texts are cut where `Chat` says, but tokenized as a whole: a SentencePiece tokenizer writes
"▁dog" at the start of a text and "dog" after a line break, so pieces tokenized one by one would be
others than the model was tuned on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch

from locvlm.errors import UnusableImageError, first_line
from locvlm.families import get_family
from locvlm.media.clips import Clip
from locvlm.media.opening import View
from locvlm.models.chat_template import chat_of, control_tokens, given_prefix, marks_of
from locvlm.models.twin import is_twin, make_twins

MAX_CACHED_TEXTS = 20_000  # texts whose tokens are kept; most questions come again and again


class EncodedTurn(NamedTuple):
    """A question and its answer, as tokens that follow the prefix."""

    asked: list[int]
    answered: list[int]  # with the token that ends it


class ChatTokens:
    """Tokens of a processor's chat.

    Args:
        processor: the model's.

    Raises:
        InputError: as `chat_of`.
    """

    def __init__(self, processor: Any):
        self.processor = processor
        self.chat = chat_of(processor)
        self._before = self.tokens(self.chat.before, special=self.chat.special_tokens)
        asks = get_family(type(processor).__name__).asks_token_types
        self._asked = {"return_mm_token_type_ids": True} if asks else {}
        self._known: dict[str, list[int]] = {}  # of texts that follow the prefix

    def prefix(self, view: View) -> Any:
        """The model's inputs for a picture or clip and all that stands before the question.

        Returns:
            A `BatchFeature` of one row: `input_ids` (1, P), and what the model reads of the view.

        Raises:
            UnusableImageError: the processor refuses it, such as one that is too narrow.
        """
        text, more, special = given_prefix(self.processor, self.chat)
        added = len(self.tokens(more)) if more else 0
        seen: dict[str, Any] = {"images": view}
        if isinstance(view, Clip):
            seen = {"videos": [view.frames]}
        elif is_twin(self.processor):
            seen = {"images": make_twins(view)}
        try:
            inputs = self.processor(
                **seen,
                text=text,
                add_special_tokens=special,
                return_tensors="pt",
                **self._asked,
            )
        except (ValueError, ZeroDivisionError, MemoryError) as error:
            raise UnusableImageError(
                f"a picture or clip of {view.size[0]} x {view.size[1]} pixels is refused by "
                f"{type(self.processor).__name__} ({first_line(error)}); crop it or pad it"
            ) from error
        for name, value in inputs.items():  # Llama 4's are rounded, whatever the model computes in
            if getattr(value, "dtype", None) == torch.bfloat16:
                inputs[name] = value.float()
        return inputs if not added else _drop_last_tokens(inputs, added)

    def question(self, question: str) -> list[int]:
        """What follows the prefix, up to where the model begins to write."""
        (asked,) = self._after_prefix([question + self.chat.between])
        return asked

    def turn(self, question: str, answer: str) -> EncodedTurn:
        """A question and its answer."""
        (turn,) = self.turns([(question, answer)])
        return turn

    def turns(self, pairs: Sequence[tuple[str, str]]) -> list[EncodedTurn]:
        """Questions and their answers, none of which knows of another.

        Calling a tokenizer takes longer than what it does to a short text: it is called once, for
        what was not asked or answered before.
        """
        prompts = [question + self.chat.between for question, _ in pairs]
        answers = [self.chat.lead + answer + self.chat.after for _, answer in pairs]
        wholes = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
        if len(self._known) > MAX_CACHED_TEXTS:
            self._known.clear()
        new = [text for text in dict.fromkeys((*prompts, *wholes)) if text not in self._known]
        self._known.update(zip(new, self._after_prefix(new), strict=True))
        return [
            self._parted(self._known[prompt], self._known[whole], answer)
            for prompt, whole, answer in zip(prompts, wholes, answers, strict=True)
        ]

    def stops(self, model: Any) -> set[int]:
        """What ends an answer: what the model, its tokenizer or the chat template ends it with."""
        ends = model.generation_config.eos_token_id
        stops = set(ends) if isinstance(ends, list) else {ends}
        tokenizer = self.processor.tokenizer
        stops |= {tokenizer.eos_token_id}
        marks = tokenizer.convert_tokens_to_ids(sorted(marks_of(tokenizer)))
        stops |= set(self.tokens(self.chat.after)[:1]) & set(marks)
        return {stop for stop in stops if stop is not None}

    @cached_property
    def control_tokens(self) -> list[str]:
        """Texts that no question or answer may hold."""
        return control_tokens(self.processor, self.chat)

    def answer_start(self, text: str) -> list[int]:
        """The tokens of an answer that begins so."""
        return self.tokens(self.chat.lead + text)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of an answer, without the tokens that are no words of it."""
        # Not all special tokens: some families write locations in them
        words = [token for token in ids if token not in self._wordless]
        text: str = self.processor.tokenizer.decode(words, skip_special_tokens=False)
        return text.strip()

    @cached_property
    def _wordless(self) -> set[int]:
        tokenizer = self.processor.tokenizer
        roles = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
        named = [getattr(tokenizer, f"{role}_token", None) for role in roles]
        texts = {text for text in (*named, *self.control_tokens) if text}
        return set(tokenizer.convert_tokens_to_ids(sorted(texts)))

    def tokens(self, text: str, *, special: bool = False) -> list[int]:
        """Of a text as it stands."""
        ids: list[int] = self.processor.tokenizer(text, add_special_tokens=special)["input_ids"]
        return ids

    def _after_prefix(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text, where it follows the prefix."""
        if not texts:
            return []
        whole = self.processor.tokenizer(
            [self.chat.before + text for text in texts],
            add_special_tokens=self.chat.special_tokens,
        )["input_ids"]
        known = len(self._before)
        return [
            ids[known:] if ids[:known] == self._before else self.tokens(text)
            for ids, text in zip(whole, texts, strict=True)
        ]

    def _parted(self, asked: list[int], whole: list[int], answer: str) -> EncodedTurn:
        if whole[: len(asked)] == asked and len(whole) > len(asked):
            return EncodedTurn(asked, whole[len(asked) :])
        # A tokenizer that joins the end of the prompt with the answer; the model, which is given
        # the prompt's own tokens, can only ever go on from these
        return EncodedTurn(asked, self.tokens(answer))


def _drop_last_tokens(inputs: Any, by: int) -> Any:
    """Without the last `by` tokens."""
    for name, value in inputs.items():
        if (
            value.ndim == 2
            and value.shape == inputs["attention_mask"].shape
            and "pixel" not in name
        ):
            inputs[name] = value[:, :-by]
    return inputs
