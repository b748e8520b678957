"""The order in which a run visits the pictures, and what it asks at each visit.

Visit v of a run is the same whenever it is asked for: a resumed run sees what an unbroken one
would have seen.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from locvlm.errors import InputError
from locvlm.instructions.base import Conversation, Instruction


class Visits:
    """Passes over the conversations, each in a new order, with a new choice of questions.

    Args:
        conversations: one per picture.
        questions: objective -> at most so many per visit; others are not asked.
        most: questions of a visit, of all objectives together.
        flip: half of the visits see the picture mirrored.
    """

    def __init__(
        self,
        conversations: Sequence[Conversation],
        questions: Mapping[str, int],
        most: int,
        *,
        flip: bool = True,
        seed: int | str = 0,
    ):
        self.conversations = [c for c in conversations if _asked(c, questions)]
        if not self.conversations:
            raise InputError(
                f"the data sets have no questions of {', '.join(questions)}; build them with "
                "--objectives that include these"
            )
        self.questions, self.most, self.flip, self.seed = questions, most, flip, seed
        self._order: tuple[int, list[int]] = (-1, [])

    def visit(self, number: int) -> tuple[Conversation, bool]:
        """The conversation of a visit, reduced to its questions, and whether it is mirrored."""
        turn, place = divmod(number, len(self.conversations))
        if self._order[0] != turn:
            order = list(range(len(self.conversations)))
            random.Random(f"{self.seed}/order/{turn}").shuffle(order)
            self._order = (turn, order)
        conversation = self.conversations[self._order[1][place]]
        chance = random.Random(f"{self.seed}/visit/{number}")
        flipped = self.flip and chance.random() < 0.5
        return replace(conversation, instructions=self._choose(conversation, chance)), flipped

    def _choose(self, conversation: Conversation, chance: random.Random) -> tuple[Instruction, ...]:
        """At most `questions[objective]` of each objective, and at most `most` in all."""
        chosen: list[Instruction] = []
        for objective, count in self.questions.items():
            mine = [item for item in conversation.instructions if item.objective == objective]
            chosen += chance.sample(mine, min(count, len(mine)))
        chance.shuffle(chosen)
        return tuple(chosen[: self.most])


def _asked(conversation: Conversation, questions: Mapping[str, int]) -> bool:
    return any(questions.get(item.objective) for item in conversation.instructions)
