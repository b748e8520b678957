r"""A conversation becomes the tokens that the model reads, with the loss on the answers only.

    <|im_start|>user \n <image> x 256 \n               the prefix, once per image
        Where is the object described dog ...?<|im_end|> ... assistant \n   IGNORED by the loss
        It is located at (4,52,13,63)<|im_end|>                             learned
        (the next question, which does not see this one)

The loss is masked here and nowhere else: `label_answers` gives every token its label, which is the
token itself where it is learned and IGNORED elsewhere. The layouts (`packed_rows`,
`padded_rows`) and `tasks.supervised` read the labels.

This is also where geometry becomes text: a flip moves the locations first, then the coordinate
format writes them in its text frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch

from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError
from locvlm.families import get_family
from locvlm.geometry import Frame, Location
from locvlm.instructions.base import Conversation, Instruction, flip
from locvlm.instructions.render import LOC, render
from locvlm.media.opening import View
from locvlm.models.chat_template import control_tokens, image_tokens, patch_grid
from locvlm.models.chat_tokens import ChatTokens, EncodedTurn
from locvlm.models.twin import add_twin_mask, is_twin
from locvlm.processors import frame_of
from locvlm.training.auxiliary.attention_guidance import Guide, patch_mask
from locvlm.training.auxiliary.readout import ReadoutTargets, find_token_after, text_before
from locvlm.training.data.packing import Blocks

IGNORED = -100


@dataclass(frozen=True)
class EncodedConversation:
    """One conversation as a packed sequence of T tokens."""

    input_ids: torch.Tensor  # (T,)
    labels: torch.Tensor  # (T,) the token itself where it is learned, else IGNORED
    position_ids: torch.Tensor  # (T,) every question starts right after the prefix
    prefix: int  # tokens before the first question
    lengths: tuple[int, ...]  # tokens of each question with its answer
    regions: torch.Tensor  # (Q, prefix) True at the patches that the answer is about
    image_inputs: Mapping[str, torch.Tensor] = field(default_factory=dict)  # pixels and the like
    truncated: int = 0  # answers that were cut at the limit of tokens
    places: ReadoutTargets | None = None  # that the answers write, where they are read out
    answer_token_type: int = 0  # see `locvlm.families.Family`

    @property
    def guide(self) -> Guide:
        """Where the tokens before a learned one should look."""
        blocks = Blocks.of(self.prefix, self.lengths)
        learned = (self.labels != IGNORED).roll(-1)[self.prefix :]
        return Guide(self.regions, learned[blocks.gather] & blocks.valid)

    def rows(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Each question as a sequence of its own: ids and labels (prefix + its length,)."""
        ids, labels = self.input_ids, self.labels
        starts = torch.tensor((self.prefix, *self.lengths)).cumsum(0).tolist()
        cuts = [slice(*ends) for ends in pairwise(starts)]
        head = slice(self.prefix)
        return [
            (torch.cat([ids[head], ids[cut]]), torch.cat([labels[head], labels[cut]]))
            for cut in cuts
        ]


def label_answers(
    prefix: Sequence[int], turns: Sequence[tuple[Sequence[int], Sequence[int]]]
) -> tuple[list[int], list[int]]:
    """The tokens of an image and its questions, and their labels: the loss mask of all training.

    Args:
        prefix: tokens of the image and what stands before the first question; IGNORED.
        turns: of each question its tokens, which are IGNORED, and those of its answer, with the
            token that ends it, which are learned.

    Returns:
        Token ids, and the label of each.
    """
    ids, labels = list(prefix), [IGNORED] * len(prefix)
    for question, answer in turns:
        ids += [*question, *answer]
        labels += [*[IGNORED] * len(question), *answer]
    return ids, labels


class Collator:
    """Encodes conversations for one model.

    Args:
        processor: the model's; its tokenizer and chat template are used.
        coordinates: the format that locations are written in.
        max_tokens: of the picture, a question and its answer together; 0: no limit.
        truncate: cut answers at `max_tokens` (and count them) instead of refusing them.
        guided: say which patches an answer is about; the processor must give all pictures one size.
        read_out: say where answers begin to write a location, and which.
    """

    def __init__(
        self,
        processor: Any,
        coordinates: CoordinateFormat,
        *,
        max_tokens: int = 0,
        truncate: bool = False,
        guided: bool = False,
        read_out: bool = False,
    ):
        self.processor = processor
        self.coordinates = coordinates
        self.max_tokens, self.truncate = max_tokens, truncate
        self.chat = ChatTokens(processor)
        self._control = control_tokens(processor, self.chat.chat)
        self._image_id: int | None = getattr(processor, "image_token_id", None)
        chat = self.chat.chat
        self._given = self.chat.tokens(chat.before, special=chat.special_tokens)
        self.grid = patch_grid(processor) if guided else None
        self.read_out = read_out
        self._answer_token_type = get_family(type(processor).__name__).answer_token_type

    def encode(
        self,
        conversation: Conversation,
        view: View | None = None,
        *,
        flipped: bool = False,
    ) -> EncodedConversation:
        """Tokens of all questions of one picture.

        Args:
            conversation: locations in original pixels, as annotated.
            view: the picture or clip as the model should see it (mirrored, if `flipped`). None
                where the encoder's outputs are known: only its tokens are counted then, for which
                all must have the same number.
            flipped: the locations and words of the mirrored picture.

        Raises:
            InputError: a text holds a control token; a sequence is too long.
            ValueError: nothing in the conversation would be learned, or not what was meant.
        """
        if flipped:
            conversation = flip(conversation)
        size = (conversation.width, conversation.height)
        text_frame = self.coordinates.frame_on(self.processor, size)
        pairs = [render(item, self.coordinates, text_frame) for item in conversation.instructions]
        prefix, image_inputs = self._read_image(view, conversation.image)
        whole = self._turns(pairs, conversation.image)
        turns = [self._fit(turn, len(prefix), conversation.image) for turn in whole]
        if not turns:
            raise ValueError(
                f"{conversation.image}: no token of this conversation would be learned"
            )
        ids, labels = label_answers(prefix, turns)
        lengths = tuple(len(turn.asked) + len(turn.answered) for turn in turns)
        positions = [*range(len(prefix))]
        for length in lengths:  # every question starts right after the prefix
            positions += range(len(prefix), len(prefix) + length)
        answers = [answer for _, answer in pairs]
        return EncodedConversation(
            input_ids=torch.tensor(ids),
            labels=torch.tensor(labels),
            position_ids=torch.tensor(positions),
            prefix=len(prefix),
            lengths=lengths,
            regions=self._regions(conversation, prefix),
            image_inputs=image_inputs,
            answer_token_type=self._answer_token_type,
            truncated=sum(cut is not turn for cut, turn in zip(turns, whole, strict=True)),
            places=self._places(conversation, answers, turns, text_frame, len(prefix))
            if self.read_out
            else None,
        )

    def _read_image(self, view: View | None, name: str) -> tuple[list[int], dict[str, Any]]:
        """The tokens before the questions, and the model's other inputs."""
        inputs = {"input_ids": self._prefix} if view is None else dict(self.chat.prefix(view))
        prefix = inputs.pop("input_ids")[0].tolist()
        for unused in ("attention_mask", "labels"):  # PaliGemma's writes labels, too
            inputs.pop(unused, None)
        # Ovis 2 and Molmo 2 write other tokens in the place of the one that stands for an image
        if self._image_id not in (None, *prefix) and prefix == self._given:
            raise InputError(
                f"{name}: {type(self.processor).__name__} wrote no token for the image; the chat "
                "template in the model's folder is not the one of its processor"
            )
        return prefix, inputs

    @cached_property
    def _prefix(self) -> torch.Tensor:
        """(1, P) tokens before a question, where all pictures have the same number."""
        token = self.processor.image_token
        text = self.chat.chat.before.replace(token, token * image_tokens(self.processor))
        ids = self.chat.tokens(text, special=self.chat.chat.special_tokens)
        return torch.tensor([ids])

    def _turns(self, pairs: Sequence[tuple[str, str]], image: str) -> list[EncodedTurn]:
        """The tokens of questions and their answers, which are read back to be sure."""
        for token in self._control:
            if any(token in text for pair in pairs for text in pair):
                raise InputError(f"{image}: a text holds the control text {token!r}; remove it")
        turns = self.chat.turns(pairs)
        for turn, (_, answer) in zip(turns, pairs, strict=True):
            decoded = self.processor.tokenizer.decode(turn.answered)
            expected = self.chat.chat.lead + answer + self.chat.chat.after
            if "".join(decoded.split()) != "".join(expected.split()):
                raise ValueError(f"{image}: {expected!r} would be learned as {decoded!r}")
        return turns

    def _fit(self, turn: EncodedTurn, prefix: int, image: str) -> EncodedTurn:
        """A turn within `max_tokens`."""
        length = prefix + len(turn.asked) + len(turn.answered)
        if not self.max_tokens or length <= self.max_tokens:
            return turn
        room = self.max_tokens - prefix - len(turn.asked)
        if not self.truncate or room < 1:
            raise InputError(
                f"{image}: {prefix} tokens of the picture, {len(turn.asked)} of a question and "
                f"{len(turn.answered)} of its answer are more than max_tokens, {self.max_tokens}; "
                "raise it" + (" (no answer would be left)" if self.truncate else ", or truncate")
            )
        return turn._replace(answered=turn.answered[:room])

    def _regions(self, conversation: Conversation, prefix: list[int]) -> torch.Tensor:
        instructions = conversation.instructions
        regions = torch.zeros(len(instructions), len(prefix), dtype=torch.bool)
        if self.grid is None:
            return regions
        image_frame = frame_of(self.processor, (conversation.width, conversation.height))
        image = torch.tensor([token == self._image_id for token in prefix])
        columns, rows = self.grid
        masks = torch.zeros(len(instructions), columns * rows, dtype=torch.bool)
        for row, instruction in enumerate(instructions):
            if instruction.grounds:
                mask = patch_mask(instruction.grounds, image_frame, self.grid)
                masks[row] = torch.from_numpy(mask)
        if is_twin(self.processor):
            masks = add_twin_mask(masks, columns)
        # the patches come last: a CLS token, where the model sees one, comes before them
        regions[:, image.nonzero()[-masks.shape[1] :, 0]] = masks
        return regions

    def _places(
        self,
        conversation: Conversation,
        answers: Sequence[str],
        turns: Sequence[EncodedTurn],
        text_frame: Frame,
        start: int,
    ) -> ReadoutTargets:
        """Where answers begin to write a location, and which; `start` tokens come before them."""
        located: list[tuple[int, Location]] = []
        writing = 0
        for item, answer, turn in zip(conversation.instructions, answers, turns, strict=True):
            if LOC in item.answer:
                writing += 1
                number = self._first_number(item, answer, turn)
                if number is not None:
                    located.append((start + len(turn.asked) + number - 1, item.locations[-1]))
            start += len(turn.asked) + len(turn.answered)
        return ReadoutTargets.of(located, text_frame, left_out=writing - len(located))

    def _first_number(self, item: Instruction, answer: str, turn: EncodedTurn) -> int | None:
        """Which of an answer's tokens begins its only location's numbers, if it can be said."""
        before = text_before(item, answer, self.coordinates)
        if before is None:
            return None
        decode = self.processor.tokenizer.decode
        return find_token_after(self.chat.chat.lead + before, turn.answered, decode)
