"""`locvlm eval`: a model's answers, scores and report."""

from __future__ import annotations

from locvlm.commands import scores
from locvlm.commands.arguments import File, Folder, Model, Number, OptionalNumber, Task


def evaluate(
    *,
    model: Model,
    task: Task,
    annotations: File,
    images: Folder,
    out: Folder,
    min_objects: OptionalNumber = None,
    limit: OptionalNumber = None,
    seed: Number = 0,
    json: bool = False,
) -> None:
    """Ask a model a task's questions and score the answers; goes on where it was stopped.

    Args:
        model: a shipped model or a folder.
        task: coco-spatial, hal-coco, locate or describe.
        annotations: COCO detection file; its boxes are pixels of the pictures.
        images: folder of the pictures.
        out: folder of predictions.jsonl, scores.json and report.md.
        min_objects: coco-spatial: clear-sided objects that a picture must have (3 if not given).
        limit: pictures to ask about, the first ones; all if not given.
        seed: of the choice of questions.
        json: print scores.json instead of a table.
    """
    from locvlm.evaluation import tasks

    options = scores.task_options(min_objects)
    tasks.settle(tasks.get(task), options)  # a typo is told before anything is loaded
    from locvlm.annotations.coco import read_coco

    data = read_coco(annotations, images=images)
    import locvlm
    from locvlm.evaluation.runner import evaluate as run

    result = run(locvlm.load(model), task, data, images, out, limit=limit, seed=seed, **options)
    scores.show(result, out, json=json)
