"""`locvlm score`: scores of written answers, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from locvlm.commands import scores
from locvlm.commands.arguments import File, OptionalNumber, Task


def score(
    task: Task,
    /,
    *,
    predictions: File,
    annotations: File,
    images: Annotated[Path | None, arg(metavar="DIR")] = None,
    out: Annotated[Path | None, arg(metavar="DIR")] = None,
    min_objects: OptionalNumber = None,
    seed: OptionalNumber = None,
    json: bool = False,
) -> None:
    """Score answers that `locvlm eval` wrote, without a model.

    Args:
        task: coco-spatial, hal-coco, locate or describe.
        predictions: predictions.jsonl of the run.
        annotations: the COCO detection file of the run.
        images: folder of the pictures, for a report that shows some.
        out: folder of scores.json and report.md; that of the predictions if not given.
        min_objects: coco-spatial: as in the run, whose run.json says it if not given.
        seed: as in the run, whose run.json says it if not given.
        json: print scores.json instead of a table.
    """
    from locvlm.annotations.coco import read_coco
    from locvlm.evaluation.runner import score as run

    folder = out or predictions.parent
    result = run(
        task,
        predictions,
        read_coco(annotations, images=images),
        folder,
        images=images,
        seed=seed,
        **scores.task_options(min_objects),
    )
    scores.show(result, folder, json=json)
