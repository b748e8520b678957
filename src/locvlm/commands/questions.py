"""`locvlm questions`: what a task asks, for other tools to answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from tyro.conf import arg

from locvlm.commands.arguments import (
    File,
    Format,
    FormatSettings,
    Number,
    OptionalFolder,
    Task,
    get_format_or_none,
)
from locvlm.commands.evaluation import TaskFiles
from locvlm.commands.next_step import format_command, print_next
from locvlm.errors import InputError
from locvlm.shown.terminal import say

NEEDED = {"id", "image", "prompt"}  # what each row has
OTHERS = {"coordinates", "frame", "mirrored", "choices"}

if TYPE_CHECKING:
    from locvlm.coordinates import CoordinateFormat
    from locvlm.evaluation.task import Question


def questions(
    task: Task,
    /,
    *,
    out: File,
    images: OptionalFolder = None,
    videos: OptionalFolder = None,
    format: Format = None,
    set: FormatSettings = [],  # noqa: B006
    seed: Number = 0,
    files: Annotated[TaskFiles, arg(name="")],
) -> None:
    """Write a task's questions for another tool, whose answers `locvlm score` then takes.

    One JSON line each: id, image, prompt, and choices where there are such; `"mirrored": true`
    where the image is to be shown with left and right exchanged. A prompt with locations says
    their format, and their frame: from original pixels to those they are in.

    Args:
        task: as in `locvlm eval --list`.
        out: the file to write.
        images: folder of the pictures, to leave out what is not there.
        videos: that of the clips, likewise.
        format: how to write locations in prompts, such as qwen3-vl, in the frame of that format's
            own models; needed where the prompts have some.
        seed: of the choice of questions.
    """
    coordinate_format = get_format_or_none(format, set)
    from locvlm.annotations.splits import ALL
    from locvlm.evaluation import tasks
    from locvlm.evaluation.fitting import load_questions
    from locvlm.evaluation.outputs import reads_of
    from locvlm.io.atomic import atomic_write
    from locvlm.io.outputs import check_output_file

    files = files.for_task(task)
    sources = files.sources(images, videos)
    check_output_file(
        out,
        reads_of(sources),
        is_former=_holds_questions,
        form="a file of questions that this command wrote",
    )
    settings = tasks.resolve_options(tasks.get(task), files.options())
    loaded = load_questions(task, sources, seed=seed, options=settings)
    with atomic_write(out) as file:
        for question in loaded:
            prompt = _format_prompt(question, coordinate_format)
            row = {"id": question.id, "image": question.image, **prompt}
            row |= {"mirrored": True} if question.mirrored else {}
            choices = {"choices": question.choices} if question.choices else {}
            file.write(msgspec.json.encode(row | choices) + b"\n")
    about = f" about split {loaded.split}" if loaded.split else ""
    say(f"{len(loaded)} questions{' about all splits' if loaded.split == ALL else about}")
    say(out)
    given: list[object] = []
    for flag, value in {"images": images, "videos": videos, "seed": seed or None}.items():
        given += [f"--{flag}", value] if value is not None else []
    answers = out.with_name("ANSWERS.jsonl")
    print_next(format_command("score", task, "--predictions", answers, *files.flags(), *given))


def _holds_questions(path: Path) -> bool:
    """Whether a file has no other rows than this command writes."""
    from locvlm.io.json_rows import json_rows

    try:
        return all(
            NEEDED <= row.keys() <= NEEDED | OTHERS
            for _, row in json_rows(path, dict[str, Any], "questions")
        )
    except InputError:
        return False


def _format_prompt(
    question: Question, coordinate_format: CoordinateFormat | None
) -> dict[str, Any]:
    """The prompt, and as in ``predictions.jsonl`` how locations are written in it."""
    from locvlm.instructions.render import LOC, REPR, render

    text = question.instruction.question
    if LOC not in text and REPR not in text:
        return {"prompt": text}
    if coordinate_format is None or question.size is None:
        raise InputError("these prompts write locations; give --format NAME, such as qwen3-vl")
    frame = coordinate_format.frame(question.size)
    return {
        "prompt": render(question.instruction, coordinate_format, frame)[0],
        "coordinates": {"format": coordinate_format.name, "options": coordinate_format.options},
        "frame": frame,
    }
