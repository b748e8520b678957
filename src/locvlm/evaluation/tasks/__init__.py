"""Evaluation tasks by name; ``coco-spatial`` is the file ``coco_spatial.py``.

A new task is a file with a `Task`, and a line in `_TASKS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from locvlm.errors import InputError
from locvlm.evaluation.hub import fetch_missing_files
from locvlm.evaluation.questions.detections import complete_images
from locvlm.evaluation.sources import check_sources
from locvlm.evaluation.task import NoQuestionsError, QuestionSet, Sources, Task, group_by_image
from locvlm.evaluation.tasks import (
    activitynet_qa,
    caption_qa,
    coco_spatial,
    coco_spatial_released,
    describe,
    gqa,
    hal_act,
    hal_ade,
    hal_coco,
    locate,
    plain_captions,
    plain_questions,
    pope,
    refcoco,
    refcoco_box,
    tgif_qa,
    vqav2,
    vsr,
    whatsup,
)

__all__ = ["get", "load", "names", "resolve_options", "tell_why_none"]

_TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        coco_spatial.TASK,
        coco_spatial_released.TASK,
        vsr.TASK,
        whatsup.TASK,
        gqa.TASK,
        vqav2.TASK,
        activitynet_qa.TASK,
        *caption_qa.TASKS,
        tgif_qa.TASK,
        pope.TASK,
        hal_coco.TASK,
        hal_ade.TASK,
        hal_act.TASK,
        locate.TASK,
        describe.TASK,
        plain_questions.TASK,
        plain_captions.TASK,
        *refcoco.TASKS,
        *refcoco_box.TASKS,
    )
}


def names() -> list[str]:
    """The known tasks, sorted."""
    return sorted(_TASKS)


def get(name: str) -> Task:
    """The task `name`. Raises InputError where it is unknown."""
    if name not in _TASKS:
        raise InputError(f"unknown evaluation task {name!r}; known: {', '.join(names())}")
    return _TASKS[name]


def resolve_options(task: Task, options: Mapping[str, Any]) -> dict[str, Any]:
    """The task's options with `options` in place of defaults.

    Raises InputError where one is unknown, or is of another type than its default.
    """
    for name, value in options.items():
        if name not in task.options:
            known = ", ".join(task.options) or "none"
            raise InputError(f"task {task.name} has no option {name!r}; it has: {known}")
        default = task.options[name]
        if type(value) is not type(default):
            words = {bool: "true or false", int: "a whole number", str: "a text"}[type(default)]
            raise InputError(
                f"task {task.name}, option {name}: {value!r} is not {words}; give it such as "
                f"{name}={str(default).lower() if isinstance(default, bool) else default}"
            )
    return {**task.options, **options}


def load(name: str, sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """All questions of the task `name`, at least one, those about one picture together.

    Files that are not given come from the hub, where a copy is known; see `QuestionSet.sources`.

    Raises:
        InputError: a file is missing or cannot be used, or gives no question.
    """
    if seed < 0:
        raise InputError(f"seed must be at least 0, not {seed}")
    task = get(name)
    sources = complete_images(fetch_missing_files(task, sources))
    check_sources(task, sources)
    loaded = task.load(sources, seed=seed, options=options)
    if not loaded.questions:
        why = tell_why_none(loaded)
        raise NoQuestionsError(f"{loaded.source}: no question for {name} can be made of it ({why})")
    grouped = (item for group in group_by_image(loaded).values() for item in group)
    return replace(loaded, questions=tuple(grouped), sources=sources)


def tell_why_none(loaded: QuestionSet) -> str:
    """Why there is no question, with counts."""
    counts = {**loaded.skipped, **loaded.dropped}
    reasons = (*(f"{reason}: {n}" for reason, n in counts.items()), *loaded.remarks)
    return "; ".join(reasons) or "no pictures"
