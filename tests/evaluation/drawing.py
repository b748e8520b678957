"""A scripted model that draws, and the files of its samples."""

from __future__ import annotations

from typing import Any

from tests.evaluation.conftest import Scripted

NAMES = ("predictions.jsonl", "predictions-2.jsonl", "predictions-3.jsonl")


class Drawing:
    """A scripted model whose answers to some questions differ with the sample."""

    decoding = {"method": "multinomial", "temperature": 0.2, "seed": 0}  # noqa: RUF012

    def __init__(self, model: Scripted, wrong: dict[int, str]):
        """`wrong`: sample -> a word; questions with it are answered by nothing."""
        self.model, self.wrong = model, wrong
        self.cut_answers: list[bool] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def answer_all(self, asked: Any) -> list[list[str]]:
        return self.sample_all(asked, 1)[0]

    def sample_all(self, asked: Any, samples: int) -> list[list[list[str]]]:
        whole = self.model.answer_all(asked)
        found = [self.answers(asked, whole, 1 + i) for i in range(samples)]
        self.cut_answers = [text == "" for groups in found for texts in groups for text in texts]
        return found

    def answers(self, asked: Any, whole: list[list[str]], sample: int) -> list[list[str]]:
        word = self.wrong.get(sample, "?!")
        return [
            ["" if word in question else text for question, text in zip(qs, texts, strict=True)]
            for (_, qs), texts in zip(asked, whole, strict=True)
        ]


def drawing(scripted, task="locate", script=None) -> Drawing:
    model = scripted(task) if script is None else scripted(task, script)
    return Drawing(model, {2: "kite", 3: "dog"})


def read(folder):
    return [(folder / name).read_bytes() for name in NAMES]
