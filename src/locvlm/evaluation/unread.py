"""What of the answers was not read: said beside the scores, since it is scored all the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from locvlm.evaluation.predictions import Prediction
from locvlm.evaluation.task import AnswerContext

EXAMPLES = 3


@dataclass
class UnreadAnswers:
    """Counts of answers, each with the first examples by the questions' ids."""

    unread: list[tuple[str, str]] = field(default_factory=list)  # id, the first text in it
    thoughts: list[str] = field(default_factory=list)  # ids
    truncated: list[str] = field(default_factory=list)  # ids
    empty: list[str] = field(default_factory=list)  # ids; tasks of yes and no read them as a yes

    def add(self, row: Prediction, answer: str, context: AnswerContext) -> None:
        """Count an answer that was scored by this context."""
        if context.unread:
            self.unread.append((row.id, context.unread[0][:80]))
        if row.answer.strip() and not answer.strip():
            self.thoughts.append(row.id)
        if not row.answer.strip():
            self.empty.append(row.id)
        if row.truncated:
            self.truncated.append(row.id)

    def record(self) -> dict[str, Any]:
        """For ``scores.json``; only what there is."""
        found = {
            "unread_locations": [f"{key}: {text}" for key, text in self.unread],
            "thoughts_alone": self.thoughts,
            "truncated": self.truncated,
            "empty": self.empty,
        }
        return {
            name: {"answers": len(rows), "examples": rows[:EXAMPLES]}
            for name, rows in found.items()
            if rows
        }
