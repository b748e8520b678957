"""What `eval`, `score` and `questions` share: a task's files and options, scores on the screen."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from locvlm.commands.arguments import parse_setting
from locvlm.errors import InputError

if TYPE_CHECKING:
    from locvlm.evaluation.judge.judge import Judge
    from locvlm.evaluation.task import Sources


def task_options(settings: Sequence[str], min_objects: int | None) -> dict[str, Any]:
    """The options that were given; the task has defaults for the rest."""
    given = dict(map(parse_setting, settings))
    return given if min_objects is None else {**given, "min_objects": min_objects}


def task_sources(
    images: Path | None, videos: Path | None, reader: str | None, **files: Path | None
) -> Sources:
    """The files that were given, by the names of their flags."""
    from locvlm.evaluation.task import Sources

    return Sources({name: path for name, path in files.items() if path}, images, reader, videos)


def judge_of(
    url: str | None,
    model: str | None,
    prompt: Path | None,
    budget: int | None,
    parallel: int | None,
    settings: Sequence[str],
) -> Judge | None:
    """The judge of the flags; None where none is wanted. Raises InputError on half a judge."""
    from locvlm.evaluation.judge.judge import PARALLEL, Judge
    from locvlm.evaluation.judge.protocol import PROMPT, read_prompt
    from locvlm.openai_client import Endpoint, Flags

    given = (url, model, prompt, budget, parallel, *settings)
    if all(value is None for value in given):
        return None
    if url is None or model is None:
        raise InputError("a judge is given by --judge URL and --judge-model NAME together")
    flags = Flags("--judge", "--judge-model", "LOCVLM_JUDGE_KEY")
    key = os.environ.get(flags.key) or os.environ.get("OPENAI_API_KEY") or ""
    asked = {"temperature": 0, **dict(map(parse_setting, settings))}
    return Judge(
        Endpoint(url, model, key.strip(), asked, flags=flags),
        PROMPT if prompt is None else read_prompt(prompt),
        PARALLEL if parallel is None else parallel,
        budget,
    )


def show(result: dict[str, Any], out: Path | None, *, json: bool) -> None:
    """Print ``scores.json`` as it is, or a table of it and where the report lies."""
    if json:
        print(msgspec.json.encode(result).decode())
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{result['task']} · {result['model']} · {result['data']}")
    for column in ("score", "value", "95 % interval", "n"):
        table.add_column(column, justify="left" if column == "score" else "right")
    for name, score in result["scores"].items():
        value = "–" if score["value"] is None else f"{score['value']:.3f}"
        table.add_row(name, value, f"{score['low']:.3f} … {score['high']:.3f}", str(score["n"]))
    Console().print(table)
    if result["unanswered"]:
        print(f"questions without an answer: {result['unanswered']}")
    if out is not None:
        from locvlm.evaluation.run_files import REPORT

        print(out / REPORT)


def show_tasks(*, json: bool) -> None:
    """Print what is known about each task, and which files it takes."""
    from locvlm.evaluation import tasks
    from locvlm.evaluation.hub_copies import COPIES

    cards = [(tasks.get(name), name) for name in tasks.names()]
    if json:
        rows = [
            {
                "name": name,
                **msgspec.to_builtins(task.card),
                "files": msgspec.to_builtins(task.files),
                "default copy": COPIES[name].repository if name in COPIES else None,
            }
            for task, name in cards
        ]
        print(msgspec.json.encode(rows).decode())
        return
    for task, name in cards:
        card = task.card
        print(f"{name}: {card.kind}; {card.size}")
        if card.clips:
            print("    --videos the clips")
        for flag, file in task.files.items():
            note = " (from the hub if not given)" if file.hub else ""
            note = note if file.needed else " (may be left out)"
            print(f"    --{flag} {file.what}{note}")
        print(f"    from {card.source}" + (f", hub {card.hub}" if card.hub else ""))
        if copy := COPIES.get(name):
            images = ", with its pictures" if copy.has_pictures else ""
            print(f"    without any file: {copy.repository} on the hub{images}")
        print(f"    license {card.license}")
