"""`locvlm questions`: what a task asks, for other tools to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from locvlm.commands import evaluation
from locvlm.commands.arguments import (
    File,
    Format,
    Number,
    OptionalFile,
    OptionalFolder,
    Reader,
    Settings,
    Task,
    get_format_or_none,
)
from locvlm.errors import InputError

if TYPE_CHECKING:
    from locvlm.coordinates import CoordinateFormat
    from locvlm.evaluation.task import Question


def questions(
    task: Task,
    /,
    *,
    out: File,
    annotations: OptionalFile = None,
    questions: OptionalFile = None,
    references: OptionalFile = None,
    images: OptionalFolder = None,
    videos: OptionalFolder = None,
    from_: Reader = None,
    format: Format = None,
    set: Settings = [],  # noqa: B006
    option: Settings = [],  # noqa: B006
    seed: Number = 0,
) -> None:
    """Write a task's questions for another tool, whose answers `locvlm score` then takes.

    One JSON line each: id, image, prompt, and choices where there are such. A prompt with
    locations says their format, and their frame: from original pixels to those they are in.

    Args:
        task: as in `locvlm eval --list`.
        out: the file to write.
        annotations: the task's own file, as `locvlm eval --list` says; so are the next two.
        questions: see annotations.
        references: see annotations.
        images: folder of the pictures, to leave out what is not there.
        videos: that of the clips, likewise.
        from_: form of detection annotations; told from the file if not given.
        format: how to write locations in prompts, such as qwen3-vl, in the frame of that format's
            own models; needed where the prompts have some.
        set: options of the format, such as bins=224.
        option: another option of the task, such as min_objects=2; may be repeated.
        seed: of the choice of questions.
    """
    form = get_format_or_none(format, set)
    from locvlm.evaluation import tasks
    from locvlm.io.atomic import atomic_write

    sources = evaluation.task_sources(
        images, videos, from_, annotations=annotations, questions=questions, references=references
    )
    settings = tasks.resolve_options(tasks.get(task), evaluation.task_options(option, None))
    asked = tasks.load(task, sources, seed=seed, options=settings)
    with atomic_write(out) as file:
        for question in asked:
            row = {"id": question.id, "image": question.image, **_asked(question, form)}
            choices = {"choices": question.choices} if question.choices else {}
            file.write(msgspec.json.encode(row | choices) + b"\n")
    print(f"{len(asked)} questions")
    print(out)


def _asked(question: Question, form: CoordinateFormat | None) -> dict[str, Any]:
    """The prompt, and as in ``predictions.jsonl`` how locations are written in it."""
    from locvlm.instructions.render import LOC, REPR, render

    text = question.instruction.question
    if LOC not in text and REPR not in text:
        return {"prompt": text}
    if form is None or question.size is None:
        raise InputError("these prompts write locations; give --format NAME, such as qwen3-vl")
    frame = form.frame(question.size)
    return {
        "prompt": render(question.instruction, form, frame)[0],
        "coordinates": {"format": form.name, "options": form.options},
        "frame": frame,
    }
