"""Runs on annotations that are in memory: written down first, as a user has them."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from locvlm.annotations.base import AnnotationSet
from locvlm.evaluation import runner, scoring, tasks
from locvlm.evaluation.questions import detections
from locvlm.evaluation.task import QuestionSet, Sources

# Tasks that make their questions from such annotations
DETECTION = [name for name in tasks.names() if tasks.get(name).files is detections.FILES]
SINGLES = {"several": "skip"}  # of locate: these runs ask about single objects


def questions_of(
    task: str, annotations: AnnotationSet, *, seed: int = 0, several: str = SINGLES["several"]
) -> QuestionSet:
    """Those of one of the tasks in `DETECTION`, without a file."""
    module = import_module(f"locvlm.evaluation.tasks.{task.replace('-', '_')}")
    options = tasks.resolve_options(
        tasks.get(task), {"several": several} if task == "locate" else {}
    )
    questions: QuestionSet = module.make_questions(annotations, seed=seed, options=options)
    return questions


def written(annotations: AnnotationSet, folder: Path, images: Path | None = None) -> Sources:
    """As a COCO file in `folder`."""
    ids = {name: number for number, name in enumerate(annotations.categories, 1)}
    objects = [(image.id, item) for image in annotations.images for item in image.objects]
    data = {
        "images": [
            {"id": im.id, "file_name": im.file_name, "width": im.width, "height": im.height}
            for im in annotations.images
        ],
        "categories": [{"id": number, "name": name} for name, number in ids.items()],
        "annotations": [
            {
                "id": number,
                "image_id": image,
                "category_id": ids[item.category],
                "bbox": [item.box.x1, item.box.y1, item.box.width, item.box.height],
                "iscrowd": int(item.crowd),
            }
            for number, (image, item) in enumerate(objects, 1)
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / annotations.source.name
    path.write_text(json.dumps(data))
    return Sources({"annotations": path}, images, "coco")


def evaluate(
    model: Any, task: str, annotations: AnnotationSet, images: Path, out: Path, **options: Any
) -> dict[str, Any]:
    sources = written(annotations, images.parent / "annotations", images)
    if task == "locate":
        options = {**SINGLES, **options}
    return runner.evaluate(model, task, sources, out, **options)


def score(
    task: str, predictions: Path, annotations: AnnotationSet, out: Path, **options: Any
) -> dict[str, Any]:
    sources = written(annotations, out.parent / "annotations")
    return scoring.score(task, predictions, sources, out, **options)
