"""So many absences that they do not outnumber what is there, over a whole data set.

Where photos show one thing each, four absences would be two thirds of all questions. What is there
is what locpred and revloc ask about; other objectives are even by themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage
from locvlm.annotations.columns import ColumnarImages
from locvlm.instructions.absence_range import ABSENCES, AbsenceRange
from locvlm.instructions.objectives import QuestionContext, locpred, negpred, revloc
from locvlm.instructions.objectives.image_batch import ImageBatch


def needs_balance(names: Collection[str]) -> bool:
    """Whether there are absences among the objectives `names`, and what they can outnumber."""
    return negpred.NAME in names and (locpred.NAME in names or revloc.NAME in names)


def is_surely_even(images: Sequence[AnnotatedImage]) -> bool:
    """Whether there are so many objects that asking what each of them is suffices: soon counted."""
    if isinstance(images, ColumnarImages):
        rows = images.image_index()[~images.objects.crowds]
        counts = np.bincount(rows, minlength=len(images))
    else:
        counts = np.array([sum(not item.crowd for item in image.objects) for image in images])
    return bool(np.clip(counts, *ABSENCES).sum() <= counts.sum())


def find_even_range(
    batches: Iterable[ImageBatch], context: QuestionContext, names: Collection[str]
) -> AbsenceRange:
    """The usual range, or one with a lower least where absences would outnumber what is there.

    Args:
        batches: of all images, without what is not asked about.
        context: with which they are asked about.
        names: the objectives.
    """
    most = ABSENCES[1]
    present, absent = 0, dict.fromkeys(range(ABSENCES[0], 0, -1), 0)
    for batch in batches:
        located, named = context.objects_to_locate(batch), context.objects_to_name(batch)
        present += len(located) * (locpred.NAME in names) + len(named) * (revloc.NAME in names)
        counts = np.bincount(batch.image_index[located], minlength=len(batch))
        possible = _count_possible(batch, context)
        for least in absent:
            absent[least] += int(np.minimum(np.clip(counts, least, most), possible).sum())
    return next((least for least, count in absent.items() if count <= present), 1), most


def _count_possible(batch: ImageBatch, context: QuestionContext) -> NDArray[np.int64]:
    """(N,): about how many categories are absent from each image."""
    kinds = np.unique(batch.kinds) // max(len(batch.category_index), 1)
    present, sought = np.bincount(kinds, minlength=len(batch)), len(context.can_be_absent)
    possible = np.maximum(sought - present, 0)
    for row, image in enumerate(batch.images.bare):
        if image.absent is not None:
            possible[row] = len(image.absent)
    return possible
