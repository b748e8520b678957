"""Hal-ADE (arXiv 2404.07449): does the model see things that are not there, beyond COCO's?

As Hal-COCO, on the pictures of ADE20K and with only those of its categories that have no overlap
with COCO's, which models are trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from locvlm.annotations.drops import Drops
from locvlm.errors import InputError
from locvlm.evaluation.metrics import yes_no
from locvlm.evaluation.questions import presence
from locvlm.evaluation.questions.ade20k import NAMES, OWN
from locvlm.evaluation.task import Question, QuestionSet, Sources, Task, TaskCard, TaskFile
from locvlm.geometry import Size
from locvlm.io.reading import is_folder
from locvlm.media.image_decoder import open_image_file
from locvlm.media.image_files import ImageFolder

NAME = "hal-ade"
_FOLDER = "ADEChallengeData2016/annotations/validation"


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """Four questions per picture; one without two classes of each kind gives none, and is counted.

    A class is present where any pixel of the map is of it, absent where none is.

    Raises:
        InputError: there is no such folder, or a file of it is no class map.
    """
    path = sources["annotations"]
    if not is_folder(path):
        raise InputError(f"{path}: no such folder of class maps; give {_FOLDER}")
    skipped = Drops()
    folder = ImageFolder(sources.images, skipped)
    questions: list[Question] = []
    for file in sorted(path.glob("*.png")):
        image = folder.find([f"{file.stem}.jpg"])
        if image is None:
            continue
        size, seen = read_map(file)
        present = [name for name in OWN if name in seen]
        absent = [name for name in OWN if name not in seen]
        drawn = presence.draw_objects(present, absent, f"{seed}/{file.stem}", skipped)
        questions += [
            presence.make_question(NAME, file.stem, image, name, expected, size=size)
            for name, expected in drawn
        ]
    folder.check(path)
    return QuestionSet(tuple(questions), +skipped, source=path.name, categories=OWN)


TASK = Task(
    name=NAME,
    title="Object hallucination: is it in the picture, beyond COCO's categories",
    hit=yes_no.HIT,
    card=TaskCard(
        kind="object hallucination",
        size="four per picture, 2,000 pictures",
        license="BSD 3-clause (annotations of ADE20K)",
        source="http://sceneparsing.csail.mit.edu (ADEChallengeData2016.zip)",
        hub="zhoubolei/scene_parse_150",
    ),
    files={"annotations": TaskFile(f"folder of class maps: {_FOLDER}")},
    headlines=yes_no.HEADLINES,
    load=load,
    score=yes_no.score,
    summarize=yes_no.summarize,
)


def read_map(path: Path) -> tuple[Size, set[str]]:
    """Size (width, height) and the classes in a map of the benchmark: one byte per pixel, 0 … 150.

    Raises InputError where it is no such map.
    """
    with open_image_file(path) as image:
        size, counts = image.size, image.histogram()
        mode = image.mode
    if mode not in ("L", "P") or any(counts[len(NAMES) + 1 :]):
        raise InputError(
            f"{path}: not a map of {len(NAMES)} classes, one byte per pixel; give {_FOLDER}"
        )
    return size, {name for name, count in zip(NAMES, counts[1:], strict=False) if count}
