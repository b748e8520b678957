"""The order in which a run visits the pictures, and what it asks at each visit.

Visit v of a run is the same whenever it is shown for: a resumed run sees what an unbroken one
would have seen.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

from locvlm.annotations.base import AnnotatedImage
from locvlm.annotations.cropping import crop_annotations
from locvlm.errors import InputError, UnusableImageError
from locvlm.geometry import Box, Size
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.build import QuestionPlan, ask_about_image
from locvlm.instructions.filters import DESCRIBED
from locvlm.instructions.visible import FieldOfView
from locvlm.media.opening import View, map_images, mirror
from locvlm.training.augment import Augment, Color, Crop, Light, crop_view
from locvlm.training.data.dataset import QuestionSource, centers
from locvlm.training.data.skipped_images import IN_A_ROW, SkippedImages, open_usable

T = TypeVar("T")

TRIES = 5  # parts of a picture that are looked at for something to ask


@dataclass(frozen=True, slots=True)
class Visit:
    """What is shown and shown once."""

    # Its size and locations are those of what is shown, before it is mirrored
    conversation: Conversation
    flipped: bool
    size: Size  # (width, height) of the picture as annotated
    window: Box | None = None  # the part of it that is shown, in its pixels; None: all
    light: Light | None = None  # None: as it is

    def open(self, frames: int | None) -> View:
        """What the model sees, mirrored where it is.

        Args:
            frames: of a clip, that the model reads; None: it reads pictures.

        Raises UnusableImageError where it cannot be read, or has another size than annotated.
        """
        view = open_usable(Path(self.conversation.image), frames, self.size)
        if self.window is not None:
            view = crop_view(view, self.window)
        if self.light is not None:
            view = map_images(view, self.light.apply)
        return mirror(view) if self.flipped else view


class VisitSampler:
    """Passes over the conversations, each in a new order, with a new choice of questions.

    Where parts of pictures are shown, questions about them (and about whole ones) are drawn anew by
    what their data set was built by; a part that nothing is shown about is drawn again, and after
    some tries the whole picture is shown.

    Args:
        conversations: one per picture.
        questions: objective -> at most so many per visit; others are not shown.
        most: questions of a visit, of all objectives together.
        flip: half of the visits see the picture mirrored.
        augment: what else changes; None: nothing.
        origins: of each conversation, from which questions about parts are drawn; where there is
            none, the whole picture is shown.
        points: questions that are drawn have points for boxes.
        view: of the model: what it does not see of a part is not asked about; None: it sees all.
    """

    def __init__(
        self,
        conversations: Sequence[Conversation],
        questions: Mapping[str, int],
        most: int,
        *,
        flip: bool = True,
        seed: int | str = 0,
        augment: Augment | None = None,
        origins: Sequence[QuestionSource | None] = (),
        points: bool = False,
        view: FieldOfView | None = None,
    ):
        pairs = [
            (c, o) for c, o in zip_longest(conversations, origins) if _has_questions(c, questions)
        ]
        self.conversations = [conversation for conversation, _ in pairs]
        self.origins = [origin for _, origin in pairs]
        if not self.conversations:
            has = {i.objective for item in conversations for i in item.instructions}
            raise InputError(
                f"the data sets have no questions of {', '.join(questions)}; build them with "
                f"--objectives that include these, or ask what they have: {', '.join(sorted(has))}"
            )
        self.questions, self.most, self.flip, self.seed = questions, most, flip, seed
        self.crop = augment.crop if augment else False
        self.color = augment.color if augment else False
        self.points, self.view = points, view
        self._order: tuple[int, list[int]] = (-1, [])

    def visit(self, number: int) -> Visit:
        """What a visit shows and asks."""
        turn, place = divmod(number, len(self.conversations))
        if self._order[0] != turn:
            order = list(range(len(self.conversations)))
            random.Random(f"{self.seed}/order/{turn}").shuffle(order)
            self._order = (turn, order)
        row = self._order[1][place]
        conversation, origin = self.conversations[row], self.origins[row]
        size = (conversation.width, conversation.height)
        chance = random.Random(f"{self.seed}/visit/{number}")
        flipped = self.flip and chance.random() < 0.5
        window, light = None, None
        if isinstance(self.color, Color):
            light = self.color.draw(random.Random(f"{self.seed}/light/{number}"))
        if isinstance(self.crop, Crop) and origin is not None:
            views = random.Random(f"{self.seed}/view/{number}")
            window, conversation = self._choose_view(conversation, origin, self.crop, views)
        chosen = replace(conversation, instructions=self._choose(conversation, chance))
        return Visit(chosen, flipped, size, window, light)

    def show(self, number: int, make: Callable[[Visit], T], skipped: SkippedImages) -> T:
        """What `make` makes of a visit; where its picture cannot be shown, of the next that can.

        Args:
            number: of the visit.
            make: raises UnusableImageError where a picture cannot be shown.
            skipped: those that cannot; added to.

        Raises:
            InputError: nearly none can, or it is another error of `make`.
        """
        for place in range(number, number + IN_A_ROW):
            visit = self.visit(place)
            if (image := visit.conversation.image) in skipped:
                continue
            try:
                return make(visit)
            except UnusableImageError as error:
                skipped.add(image, error)
        raise InputError(f"{image}: neither this nor {IN_A_ROW - 1} others before it can be used")

    def _choose_view(
        self, whole: Conversation, origin: QuestionSource, crop: Crop, chance: random.Random
    ) -> tuple[Box | None, Conversation]:
        """A part of a picture, or all of it (None), and what may be shown about it."""
        boxes = [item.box for item in origin.image.objects if not item.crowd]
        window = crop.draw((whole.width, whole.height), boxes, chance)
        # Descriptions hold for most of a picture alone. Parts without one would deny and never tell
        needs_described = origin.plan.options.described_only and _asks_described(
            whole.instructions, self.questions
        )
        for _ in range(TRIES):
            if window is None:
                break
            part = crop_annotations(origin.image, window)
            items = self._draw_instructions(part, origin.plan, chance)
            if items and (not needs_described or _asks_described(items, self.questions)):
                size = (int(window.width), int(window.height))
                return window, Conversation(whole.image, *size, items, whole.source)
            window = crop.draw((whole.width, whole.height), boxes, chance)
        items = self._draw_instructions(origin.image, origin.plan, chance)
        return None, replace(whole, instructions=items) if items else whole

    def _draw_instructions(
        self, image: AnnotatedImage, plan: QuestionPlan, chance: random.Random
    ) -> tuple[Instruction, ...]:
        items = ask_about_image(plan, image, chance.getrandbits(64), self.questions)
        if self.view is not None:
            items = self.view.keep_items(items, image)
        return centers(items) if self.points else items

    def _choose(self, conversation: Conversation, chance: random.Random) -> tuple[Instruction, ...]:
        """At most `questions[objective]` of each objective, and at most `most` in all."""
        chosen: list[Instruction] = []
        for objective, count in self.questions.items():
            matching = [item for item in conversation.instructions if item.objective == objective]
            chosen += chance.sample(matching, min(count, len(matching)))
        chance.shuffle(chosen)
        return tuple(chosen[: self.most])


def _asks_described(items: Iterable[Instruction], questions: Container[str]) -> bool:
    return any(item.objective in DESCRIBED and item.objective in questions for item in items)


def _has_questions(conversation: Conversation, questions: Mapping[str, int]) -> bool:
    return any(questions.get(item.objective) for item in conversation.instructions)
