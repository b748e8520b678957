r"""A conversation becomes the tokens that the model reads, with the loss on the answers only.

    <|im_start|>user \n <image> x 256 \n               the prefix, once per picture
        Where is the object described dog ...?<|im_end|> ... assistant \n   ignored by the loss
        It is located at (4,52,13,63)<|im_end|>                             learned
        (the next question, which does not see this one)

This is where geometry turns into text: flips move the locations first, then the coordinate format
writes them in the model's frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from locvlm.coordinates import CoordinateFormat
from locvlm.geometry import Frame
from locvlm.instructions.base import Conversation, flip
from locvlm.instructions.render import render
from locvlm.models.chat import chat_parts, image_tokens, patch_grid
from locvlm.training.block_attention import Blocks
from locvlm.training.guidance import Guide, region

IGNORED = -100


@dataclass(frozen=True)
class Encoded:
    """One conversation as a packed sequence of T tokens."""

    input_ids: torch.Tensor  # (T,)
    labels: torch.Tensor  # (T,) the token itself where it is learned, else IGNORED
    position_ids: torch.Tensor  # (T,) every question starts right after the prefix
    prefix: int  # tokens before the first question
    lengths: tuple[int, ...]  # tokens of each question with its answer
    regions: torch.Tensor  # (Q, prefix) True at the patches that the answer is about

    @property
    def blocks(self) -> Blocks:
        """The division that `block_attention` needs."""
        return Blocks.of(self.prefix, list(self.lengths))

    @property
    def guide(self) -> Guide:
        """Where the tokens before a learned one should look."""
        blocks = self.blocks
        learned = (self.labels != IGNORED).roll(-1)[self.prefix :]
        return Guide(self.regions, learned[blocks.gather] & blocks.valid)


class Collator:
    """Encodes conversations for one model.

    Args:
        processor: the model's; its tokenizer, chat template and frame are used.
        coordinates: the format that locations are written in.
    """

    def __init__(self, processor: Any, coordinates: CoordinateFormat):
        self.processor = processor
        self.coordinates = coordinates
        before, between, after = chat_parts(processor)
        self.prefix_ids = self._tokens(
            before.replace(processor.image_token, processor.image_token * image_tokens(processor))
        )
        self.between, self.after = between, after
        self.grid = patch_grid(processor)
        image = torch.tensor(self.prefix_ids) == processor.image_token_id
        # the patches come last: a CLS token, where the model sees one, comes before them
        self._patches = image.nonzero()[-self.grid[0] * self.grid[1] :, 0]

    def encode(self, conversation: Conversation, *, flipped: bool = False) -> Encoded:
        """Tokens of all questions of one picture.

        Raises:
            ValueError: nothing in the conversation would be learned.
        """
        if flipped:
            conversation = flip(conversation)
        frame = Frame.from_processor(self.processor, (conversation.width, conversation.height))
        instructions = conversation.instructions
        pairs = [render(instruction, self.coordinates, frame) for instruction in instructions]
        regions = torch.zeros(len(pairs), len(self.prefix_ids), dtype=torch.bool)
        for row, instruction in enumerate(instructions):
            if instruction.grounds:
                mask = region(instruction.grounds, frame, self.grid)
                regions[row, self._patches] = torch.from_numpy(mask)
        return self._pack([self._question(*pair) for pair in pairs], regions, conversation.image)

    def _question(self, question: str, answer: str) -> tuple[list[int], list[int]]:
        asked = self._tokens(question + self.between)
        learned = self._tokens(answer + self.after)
        return asked, learned

    def _pack(
        self, questions: Sequence[tuple[list[int], list[int]]], regions: torch.Tensor, name: str
    ) -> Encoded:
        ids, labels = list(self.prefix_ids), [IGNORED] * len(self.prefix_ids)
        positions, prefix = list(range(len(ids))), len(ids)
        for asked, learned in questions:
            ids += asked + learned
            labels += [IGNORED] * len(asked) + learned
            positions += range(prefix, prefix + len(asked) + len(learned))
        if all(label == IGNORED for label in labels):
            raise ValueError(f"{name}: no token of this conversation would be learned")
        lengths = tuple(len(asked) + len(learned) for asked, learned in questions)
        return Encoded(
            input_ids=torch.tensor(ids),
            labels=torch.tensor(labels),
            position_ids=torch.tensor(positions),
            prefix=prefix,
            lengths=lengths,
            regions=regions,
        )

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self.processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids
