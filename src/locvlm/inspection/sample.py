"""What an inspection looks at: one conversation as the model sees it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PIL import Image

from locvlm.geometry import Box, Frame, Location, coords_of
from locvlm.instructions.base import Conversation, Instruction


@dataclass(frozen=True)
class InspectedToken:
    """One token of a question or its answer."""

    text: str
    in_loss: bool  # the loss looks at it


@dataclass(frozen=True)
class InspectedQuestion:
    """One question as the model reads it, and what can be read back from its tokens."""

    instruction: Instruction
    tokens: tuple[InspectedToken, ...]
    decoded: tuple[Location, ...]  # original pixels, in the order of the text
    part: Box | None = None  # of the picture, that the model sees; None: all of it

    def seen_in(self, part: Box | None) -> InspectedQuestion:
        """The same, of a picture of which so much is seen."""
        return replace(self, part=part)

    @property
    def deviation(self) -> float | None:
        """Largest distance of a decoded coordinate from the annotated one, original pixels.

        Of a box that is cut, from what is seen of it. 0 without locations; None where the tokens do
        not hold the same number and kinds of them.
        """
        annotated = [
            place.within(self.part) if self.part and isinstance(place, Box) else place
            for place in self.instruction.locations
        ]
        pairs = list(zip(annotated, self.decoded, strict=False))
        if len(self.decoded) != len(annotated):
            return None
        if any(type(a) is not type(b) for a, b in pairs):
            return None
        gaps = (
            abs(u - v) for a, b in pairs for u, v in zip(coords_of(a), coords_of(b), strict=True)
        )
        return max(gaps, default=0.0)


@dataclass(frozen=True)
class InspectedSample:
    """One conversation as the model sees it."""

    conversation: Conversation
    image: Image.Image  # after the processor: the model's pixels; of tiles, the original's
    image_frame: Frame  # original pixels to the pixels of `image`, in which locations are drawn
    prefix: str  # what stands before the first question; image tokens counted, not repeated
    questions: tuple[InspectedQuestion, ...]
    tiles: tuple[Location, ...] = ()  # boxes, original pixels: what each tile shows

    @property
    def supervised(self) -> int:
        """How many tokens the loss looks at."""
        return sum(token.in_loss for question in self.questions for token in question.tokens)
