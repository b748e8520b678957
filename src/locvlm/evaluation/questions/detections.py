"""Detection annotations, from which some tasks make their questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from locvlm import annotations as readers
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.splits import HELD_OUT, asked_split
from locvlm.annotations.wording import name_categories
from locvlm.evaluation.left_out import LeftOut
from locvlm.evaluation.task import Question, QuestionSet, TaskFile
from locvlm.instructions.dataset import find_default_images

if TYPE_CHECKING:
    from locvlm.evaluation.task import Sources

FILES: Mapping[str, TaskFile] = {
    "annotations": TaskFile(
        "detection annotations, such as COCO's instances_val2017.json", has_boxes=True
    )
}


def read_annotations(sources: Sources) -> AnnotationSet:
    """The annotations, of pictures that are there: of the split that `sources` say.

    Raises InputError as their reader does, also where there is no such split.
    """
    sources = complete_images(sources)
    path = sources["annotations"]
    name = sources.reader or readers.detect_format(path)[0]
    options: dict[str, Any] = {"split": sources.split or HELD_OUT}
    if sources.boxes is not None:
        options["boxes"] = sources.boxes
    data = readers.read(name, path, images=sources.images, **options)
    return data if sources.names is None else name_categories(data, sources.names)


def complete_images(sources: Sources) -> Sources:
    """With the folder of the images, where the annotations are a built data set, which says it.

    Raises InputError where another one is given that holds other images.
    """
    path = sources.get("annotations")
    if path is None:
        return sources
    return replace(sources, images=find_default_images(path, sources.images))


def question_set(
    annotations: AnnotationSet,
    questions: Iterable[Question],
    skipped: Counter[str],
    left_out: tuple[LeftOut, ...] = (),
) -> QuestionSet:
    """Questions made of `annotations`."""
    return QuestionSet(
        tuple(questions),
        skipped=+skipped,
        source=annotations.source.name,
        categories=annotations.categories,
        dropped=annotations.drops,
        remarks=annotations.remarks,
        left_out=left_out,
        split=asked_split(annotations),
        names=annotations.names,
    )
