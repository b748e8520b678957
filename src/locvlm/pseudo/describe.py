"""A model describes the objects of a detection data set in its own words.

The self-training of arXiv 2404.07449 (PRefCOCO-100K): of each category with one instance in a
picture the model is asked for a short sentence; what the boxes contradict is left out (see
`filters`). The result is the detection data set again, with a description per object, from which
`locvlm build` makes questions and answers about things in more words than their category.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.files import one_line
from locvlm.errors import InputError
from locvlm.inference.pictures import open_annotated
from locvlm.instructions.engines import Engine
from locvlm.pseudo import coco_file
from locvlm.pseudo.filters import filtered
from locvlm.pseudo.parts import in_parts

if TYPE_CHECKING:
    from locvlm.inference.predictor import Predictor

PROMPT = (
    "Describe the {category} in this image using one short sentence, referring to its visual "
    "features and spatial position relative to other objects in image."
)
AT_ONCE = 8  # pictures
EXAMPLES = 3  # per reason, of what was left out


class Asked(msgspec.Struct, frozen=True):
    """A picture and what is to be described in it."""

    image: str  # path
    width: int  # pixels, as annotated
    height: int
    categories: list[str]


class Answered(msgspec.Struct, frozen=True):
    """What the model said about a picture."""

    image: str
    answers: list[str]  # in the order of the categories; empty where the picture cannot be read
    trouble: str = ""  # why it cannot be


@dataclass
class Described:
    """What came of it."""

    pictures: int = 0
    asked: int = 0  # objects
    kept: int = 0  # descriptions
    drops: Counter[str] = field(default_factory=Counter)  # reason -> how many
    examples: dict[str, list[str]] = field(default_factory=dict)  # reason -> some that were dropped
    skipped: dict[str, str] = field(default_factory=dict)  # picture -> why

    def summary(self) -> dict[str, Any]:
        """For the file: everything but the examples."""
        return {
            "asked": self.asked,
            "kept": self.kept,
            "dropped": dict(self.drops),
            "skipped": self.skipped,
        }


def describe(
    data: AnnotationSet,
    images: Path,
    out: Path,
    *,
    model: str,
    prompt: str = PROMPT,
    engine: Engine = "local",
    workers: int = 1,
) -> Described:
    """Write the annotations to the file `out` again, with a description per object.

    A stopped run goes on. A picture that cannot be read is skipped and listed.

    Args:
        data: a detection data set.
        images: folder of its pictures.
        out: COCO file to write; unfinished work is kept in ``OUT.parts`` beside it.
        model: a shipped model, a folder or a hub id.
        prompt: what is asked, with ``{category}`` in it.
        engine: where the model runs (see `ordered`).
        workers: how many of it.

    Raises:
        InputError: the prompt has no ``{category}``, the model cannot be loaded, or no category has
            one instance in any picture.
    """
    if "{category}" not in prompt:
        raise InputError(f"--prompt {prompt!r}: has no {{category}} to name the object by")
    singles = [_single(image) for image in data.images]
    asked = [
        _asked(image, images, places)
        for image, places in zip(data.images, singles, strict=True)
        if places
    ]
    if not asked:
        raise InputError(f"{data.source}: no category has one instance in any picture to describe")
    made = {"by": "pseudo describe", "of": data.source.name, "model": model, "prompt": prompt}
    folder = out.with_name(out.name + ".parts")
    rows = in_parts(
        partial(_answer, model, prompt),
        asked,
        folder,
        made,
        kind=Answered,
        doing=f"Describing · {model}",
        at_once=AT_ONCE,
        engine=engine,
        workers=workers,
    )
    answers = {row.image: row for row in rows}
    result = Described()
    said = [
        _kept(image, places, answers.get(str(images / image.file_name)), data.categories, result)
        for image, places in zip(data.images, singles, strict=True)
    ]
    _write(out, data, said, {**made, **result.summary()})
    shutil.rmtree(folder)
    return result


def _single(image: AnnotatedImage) -> list[int]:
    """Places in ``image.objects`` of those whose category has one instance."""
    single = {id(item) for item in image.single_instances()}
    return [place for place, item in enumerate(image.objects) if id(item) in single]


def _asked(image: AnnotatedImage, images: Path, places: Sequence[int]) -> Asked:
    categories = [image.objects[place].category for place in places]
    return Asked(str(images / image.file_name), image.width, image.height, categories)


def _answer(model: str, prompt: str, batch: Sequence[Asked]) -> list[Answered]:
    """What the model says about the pictures of a batch, those that can be read together."""
    pictures: dict[str, Any] = {}
    trouble: dict[str, str] = {}
    for item in batch:
        try:
            pictures[item.image] = open_annotated(Path(item.image), (item.width, item.height))
        except InputError as error:
            trouble[item.image] = str(error)
    asked = [
        (pictures[item.image], [prompt.replace("{category}", name) for name in item.categories])
        for item in batch
        if item.image in pictures
    ]
    answers = dict(zip(pictures, _predictor(model).answer_all(asked), strict=True))
    return [
        Answered(item.image, answers.get(item.image, []), trouble.get(item.image, ""))
        for item in batch
    ]


@cache
def _predictor(model: str) -> Predictor:
    """Loaded once per process."""
    import locvlm

    return locvlm.load(model)


def _kept(
    image: AnnotatedImage,
    places: Sequence[int],
    row: Answered | None,
    categories: Sequence[str],
    result: Described,
) -> dict[int, str]:
    """Place in ``image.objects`` -> the description that may be right; the rest is counted."""
    if row is None:
        return {}
    result.pictures += 1
    if row.trouble:
        result.skipped[row.image] = row.trouble
        return {}
    said = {place: one_line(text) for place, text in zip(places, row.answers, strict=True)}
    result.asked += len(said)
    kept, dropped = filtered(image, said, categories, result.drops)
    for place, reason in dropped:
        some = result.examples.setdefault(reason, [])
        if len(some) < EXAMPLES:
            some.append(f"{image.objects[place].category}: {said[place]}")
    result.kept += len(kept)
    return kept


def _write(
    out: Path, data: AnnotationSet, said: Sequence[Mapping[int, str]], made: Mapping[str, Any]
) -> None:
    """The data set again, with what was said."""
    number_of = {name: number for number, name in enumerate(data.categories, 1)}
    images = [_image(image, data, number_of) for image in data.images]
    annotations = [
        coco_file.Annotation(
            image_id=image.id,
            category_id=number_of[item.category],
            bbox=coco_file.xywh(item.box),
            area=round(item.box.area, 2),
            iscrowd=int(item.crowd),
            description=texts.get(place),
        )
        for image, texts in zip(data.images, said, strict=True)
        for place, item in enumerate(image.objects)
    ]
    coco_file.write(out, data.categories, images, annotations, made)


def _image(
    image: AnnotatedImage, data: AnnotationSet, number_of: Mapping[str, int]
) -> coco_file.Image:
    """With what is absent, where that is not simply what has no box."""
    known = image.absent is not None or image.not_exhaustive
    absent = image.absent_of(data.categories) if known else []
    return coco_file.Image(
        id=image.id,
        file_name=image.file_name,
        width=image.width,
        height=image.height,
        coco_url=image.url or None,
        license=image.license or None,
        neg_category_ids=[number_of[name] for name in absent] if known else None,
        not_exhaustive_category_ids=[number_of[name] for name in image.not_exhaustive]
        if known
        else None,
    )
