"""RefCOCO, RefCOCO+ and RefCOCOg (arXiv 1608.00272): phrases that mean one object of COCO.

    refcoco/refs(unc).p      pickled [{"ref_id": 0, "ann_id": 1719310, "image_id": 581857,
                                       "split": "train", "sentences": [{"sent": "the lady"}]}]
    refcoco/instances.json   COCO's boxes of these pictures, all of them

Boxes are pixels of the pictures as instances.json declares them. The pickle is read as data, and
refused where it is more than that (`plain_pickle`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import msgspec

from locvlm.annotations import coco, coco_file
from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.coco_loose import decode_detections
from locvlm.annotations.drops import Drops
from locvlm.annotations.form_names import BoxForm
from locvlm.annotations.splits import ALL, assign_splits, choose_split
from locvlm.errors import InputError
from locvlm.io.plain_pickle import read_plain_pickle
from locvlm.io.reading import Id, is_folder, list_entries, one_line, sayable

T = TypeVar("T")


class _Sentence(msgspec.Struct, gc=False):
    sent: str


class _Ref(msgspec.Struct, gc=False):
    ann_id: Id
    image_id: Id
    split: str
    sentences: list[_Sentence]


def read_refcoco(
    path: str | Path,
    *,
    images: str | Path | None = None,
    split: str | None = None,
    boxes: BoxForm | None = None,
) -> AnnotationSet:
    """The pictures that have phrases in the split, each with all of COCO's objects.

    Categories are COCO's 80, which were looked for in every picture. Left out and counted in
    ``drops``: what `read_coco` leaves out, phrases of other splits and of unknown objects, repeated
    and unusable phrases.

    Args:
        path: the pickle file, or the folder with one; instances.json lies beside it.
        images: folder of the pictures; None: do not look whether they are there.
        split: train, val, testA, testB or test, whichever the file has, or all of them; None:
            train, or the only one there is.
        boxes: how instances.json writes boxes; None: x, y, width, height in pixels.

    Raises:
        InputError: a file is missing, malformed or more than plain data, there is no such split,
            or whatever `read_coco` cannot use.
    """
    file = refs_file(Path(path))
    refs = read_refs(file, list[_Ref])
    splits = tuple(sorted({ref.split for ref in refs}))
    split = choose_split(split, splits, file)
    beside = instances_beside(file)
    drops = Drops()
    data = decode_detections(beside, coco_file.DetectionFile, coco_file.WHAT, drops)
    wanted = [ref for ref in refs if split in (ALL, ref.split)]
    drops["objects described in other splits"] += len(refs) - len(wanted)
    phrases = _phrases(wanted, {item.id for item in data.annotations}, drops)
    _keep_images(data, {ref.image_id for ref in wanted})
    joined = coco.build_annotation_set(
        beside, data, images=images, descriptions=phrases, boxes=boxes, drops=drops
    )
    find_split = _split_finder(wanted) if split == ALL else lambda _: split
    marked = assign_splits(joined.images, find_split)
    return replace(
        joined, images=marked, source=Path(path), splits=splits, options={"split": split}
    )


def refs_file(path: Path) -> Path:
    """`path`, or the pickle file in it. Raises InputError where a folder has not just one."""
    if not is_folder(path):
        return path
    files = sorted(list_entries(path, "refs*.p"))
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise InputError(f"{path}: give one file refs(…).p; the folder has: {names}")
    return files[0]


def instances_beside(file: Path) -> Path:
    """The boxes that belong to a file of phrases, packed or not."""
    return next(
        iter(sorted(list_entries(file.parent, "instances.json*"))), file.parent / "instances.json"
    )


def read_refs(file: Path, kind: type[T]) -> T:
    """The pickle as `kind`, a list of typed rows. Raises InputError where it is none."""
    value = read_plain_pickle(file)
    if _sentences(value) > file.stat().st_size:
        raise InputError(f"{file}: repeats its lists beyond all measure; get it again")
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{file}: not a file of RefCOCO's phrases: {error}") from None


def _sentences(value: object) -> int:
    """How many there will be: a pickle may say a list once and name it many times."""
    refs = value if isinstance(value, list) else []
    lists = (ref.get("sentences") for ref in refs if isinstance(ref, dict))
    return sum(len(items) for items in lists if isinstance(items, list))


def _phrases(refs: list[_Ref], known: set[Id | None], drops: Counter[str]) -> dict[Id, list[str]]:
    """The phrases of each object, in file order."""
    phrases: dict[Id, list[str]] = defaultdict(list)
    for ref in refs:
        for sentence in ref.sentences:
            text = one_line(sentence.sent)
            if ref.ann_id not in known:
                drops["phrases of unknown objects"] += 1
            elif not sayable(text):
                drops["phrases that are empty or have braces"] += 1
            elif text in phrases[ref.ann_id]:
                drops["repeated phrases of one object"] += 1
            else:
                phrases[ref.ann_id].append(text)
    return phrases


def _split_finder(refs: list[_Ref]) -> Callable[[AnnotatedImage], str]:
    """Tells the split of a picture: that of all its phrases, empty where they are of several."""
    found: dict[Id, str] = {}
    for ref in refs:
        found[ref.image_id] = ref.split if found.get(ref.image_id, ref.split) == ref.split else ""
    return lambda image: found.get(image.id, "")


def _keep_images(data: coco_file.DetectionFile, wanted: set[Id]) -> None:
    """Leave out pictures without phrases, and their annotations, before they are counted."""
    unwanted = {item.id for item in data.images} - wanted
    data.images = [item for item in data.images if item.id in wanted]
    data.annotations = [item for item in data.annotations if item.image_id not in unwanted]
