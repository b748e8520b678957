"""Tasks that read official files: written answers to their questions, scored as a user would."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from locvlm.evaluation import scoring, tasks
from locvlm.evaluation.task import QuestionSet, Sources
from locvlm.media.clips import is_clip


def lines(path: Path, rows: Iterable[Any]) -> Path:
    """JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def load(task: str, seen: Path | None = None, seed: int = 0, **files: Path) -> QuestionSet:
    return tasks.load(task, sources(task, files, seen), seed=seed, options={})


def sources(task: str, files: Mapping[str, Path], seen: Path | None) -> Sources:
    """With the folder of the pictures or clips `seen`."""
    clips = tasks.get(task).card.clips
    return Sources(files, videos=seen) if clips else Sources(files, seen)


def scores(task: str, answers: Callable[[str], str], folder: Path, **files: Path) -> dict[str, Any]:
    """Value and n of each score, where `answers` gives the answer to an id."""
    rows = [
        {"question_id": question.id, "text": answers(question.id)}
        for question in load(task, **files)
    ]
    result = scoring.score(task, lines(folder / "answers.jsonl", rows), Sources(files))
    return {name: (score["value"], score["n"]) for name, score in result["scores"].items()}


def pictures(folder: Path, *names: str) -> Path:
    """A folder with pictures of these names, or with clips in which nothing moves."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6)).save(path, "GIF" if is_clip(path) else "PNG")
    return folder
