"""A read-out of the place where an answer begins to write one: one more loss, in training alone.

    It is located at ( 4 , 52 , 13 , 63 )
                     └─► linear ─► center x, center y, width, height

Digits say little about *how far off* a place is: to the answers' loss, 5 instead of 4 is as wrong
as 9. So a linear layer reads the place from the language model's last state at the token before
the first number, and is told the distance. Its gradient asks the language model to have gathered
the place by then. The layer is kept in checkpoints and thrown away after the stage: the tuned
model stays stock.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import reduce
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F
from transformers import TrainerCallback

from locvlm.coordinates import CoordinateFormat
from locvlm.geometry import Box, Frame, Location
from locvlm.instructions.base import Instruction
from locvlm.instructions.render import LOC, REPR
from locvlm.training.tensor_record import TensorRecord

BETA = 0.05  # share of the picture up to which an error counts by its square
WEIGHTS = "readout.safetensors"  # in a checkpoint

_OPENING = re.compile(r"[^\w-]*(?=-?[0-9])")  # what a location's text begins with


@dataclass(frozen=True)
class ReadoutTargets(TensorRecord):
    """The places that N answers write, and where they begin to."""

    token_index: torch.Tensor  # (N,) the token before the first number
    values: torch.Tensor  # (N, 4) center x, center y, width, height: shares of the model's picture
    weights: torch.Tensor  # (N, 4) what each number counts in the loss; 1 in all of a place
    left_out: int = 0  # answers with places of which it cannot be said where one begins

    @classmethod
    def of(
        cls, located: Sequence[tuple[int, Location]], frame: Frame, left_out: int = 0
    ) -> ReadoutTargets:
        """Those of one sequence; a point has no size, which then counts nothing.

        Args:
            located: the token, and the location in original pixels.
            frame: from original to the model's pixels.
            left_out: as the field.
        """
        values = [_normalize(place, frame) for _, place in located]
        weights = [[0.25] * 4 if isinstance(p, Box) else [0.5, 0.5, 0, 0] for _, p in located]
        return cls(
            torch.tensor([at for at, _ in located], dtype=torch.long),
            torch.tensor(values).view(-1, 4),
            torch.tensor(weights).view(-1, 4),
            left_out,
        )

    @classmethod
    def merge(cls, rows: Sequence[ReadoutTargets], total: int) -> ReadoutTargets:
        """Those of rows of `total` tokens each; a row counts as one, however many places it has."""
        return cls(
            torch.cat([row.token_index + number * total for number, row in enumerate(rows)]),
            torch.cat([row.values for row in rows]),
            torch.cat([row.weights / (max(len(row.token_index), 1) * len(rows)) for row in rows]),
            sum(row.left_out for row in rows),
        )


def begins_with_number(coordinates: CoordinateFormat) -> bool:
    """Whether the locations of a format begin with a number, after brackets and the like."""
    frame = Frame.identity((100, 100))
    box = Box(10, 10, 20, 20)
    places = [box if kind == "box" else box.center for kind in coordinates.kinds]
    return all(_OPENING.match(coordinates.encode(place, frame)) for place in places)


def text_before(instruction: Instruction, answer: str, coordinates: CoordinateFormat) -> str | None:
    """What an answer says before the first number of its only location.

    Args:
        instruction: what was asked.
        answer: of it, as rendered.
        coordinates: the format that it is written in.

    Returns:
        None where it has several locations, or one that does not begin with a number.
    """
    head, *tail = instruction.answer.split(LOC)
    head = head.replace(REPR, coordinates.repr_of(instruction.kind))
    opening = _OPENING.match(answer[len(head) :])
    return head + opening[0] if len(tail) == 1 and opening else None


def find_token_after(
    before: str, ids: Sequence[int], decode: Callable[[Sequence[int]], str]
) -> int | None:
    """The first token with something of what follows a text; blanks do not count.

    Args:
        before: what the tokens say first.
        ids: the tokens.
        decode: gives their text.

    Returns:
        Its index; None where the tokens end before it, or say something else.
    """
    expected = _remove_spaces(before)

    def decoded(count: int) -> str:
        return _remove_spaces(decode(ids[:count]))

    count = bisect_right(range(len(ids) + 1), len(expected), key=lambda count: len(decoded(count)))
    if count > len(ids) or not decoded(count).startswith(expected):
        return None
    return count - 1


class Readout(nn.Module):
    """The linear layer, and the states that it reads.

    It begins at the middle of the picture and passes no gradient in its first step.

    Args:
        width: of the language model's states.
    """

    def __init__(self, width: int):
        super().__init__()
        self.linear = nn.Linear(width, 4, dtype=torch.float32)
        nn.init.zeros_(self.linear.weight)
        nn.init.constant_(self.linear.bias, 0.5)
        self._states: torch.Tensor | None = None

    @contextmanager
    def read_states(self, language: nn.Module) -> Iterator[None]:
        """While it lasts, it sees the last states of a language model's every pass."""

        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            self._states = output[0]

        handle = language.register_forward_hook(keep)
        try:
            yield
        finally:
            handle.remove()
            self._states = None

    def loss(self, places: ReadoutTargets) -> torch.Tensor:
        """Of the last pass; 0 without places, so that its gradient is never missing.

        Args:
            places: `token_index` counts the tokens of all rows after each other.
        """
        states, self._states = self._states, None
        assert states is not None, "the language model has run no pass"
        with torch.autocast(states.device.type, enabled=False):
            predicted = self.linear(
                states.flatten(0, 1).index_select(0, places.token_index).float()
            )
        each = F.smooth_l1_loss(predicted, places.values, reduction="none", beta=BETA)
        return (each * places.weights).sum()

    def save(self, checkpoint: Path) -> None:
        """Beside the model of a checkpoint."""
        save_file(self.state_dict(), checkpoint / WEIGHTS)

    def load(self, checkpoint: Path) -> None:
        """What `save` wrote."""
        self.load_state_dict(load_file(checkpoint / WEIGHTS))


class ReadoutSteps(TrainerCallback):
    """What a trainer does for its model's gradients, and not for a layer beside the model."""

    def __init__(self, readout: Readout):
        self.readout = readout

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The mean over the processes."""
        for parameter in self.readout.parameters():
            parameter.grad = reduce(parameter.grad, reduction="mean")

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """None are left for the next step."""
        self.readout.zero_grad()


def _normalize(place: Location, frame: Frame) -> list[float]:
    """Center x, center y, width, height of what the model sees of a place."""
    (width, height), there = frame.model, frame.apply(place).clip(*frame.model)
    if isinstance(there, Box):
        center, size = there.center, (there.width / width, there.height / height)
    else:
        center, size = there, (0.0, 0.0)
    return [center.x / width, center.y / height, *size]


def _remove_spaces(text: str) -> str:
    return "".join(text.split())
