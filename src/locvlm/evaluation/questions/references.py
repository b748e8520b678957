"""Referring expressions: objects of COCO with the sentences that people meant them by.

Three forms of the sentences are read. Boxes and sizes come from COCO's own file.

    refs(unc).p   RefCOCO, RefCOCO+, RefCOCOg (arXiv 1608.00272): a pickled
                  [{"ref_id": 0, "ann_id": 1719310, "image_id": 581857, "split": "train",
                    "sentences": [{"sent_id": 0, "sent": "the lady"}]}]
    a .json file  Google RefExp (arXiv 1511.02283):
                  {"annotations": {"1719310": {"annotation_id": 1719310, "image_id": 581857,
                                               "refexp_ids": [7]}},
                   "refexps": {"7": {"refexp_id": 7, "raw": "The lady."}}}
    a .json file  one sentence a row, as in Google's samples of results:
                  [{"image_id": 581857, "annotation_id": 1719310, "gt_refexp": "the lady"}]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from locvlm.annotations import coco_file
from locvlm.annotations.box_forms import corners_of
from locvlm.annotations.drops import Drops
from locvlm.annotations.plausibility import OwnForm, check_boxes
from locvlm.annotations.refcoco import instances_beside, read_refs, refs_file
from locvlm.annotations.splits import choose_split
from locvlm.errors import InputError
from locvlm.evaluation.questions.coco_photos import file_names
from locvlm.evaluation.task import Question, QuestionSet, TaskFile
from locvlm.geometry import Box, Size, coords_of
from locvlm.io.reading import Id, decode_json, is_file, one_line, sayable
from locvlm.media.image_files import check_size, find_images, safe_name

if TYPE_CHECKING:
    from locvlm.evaluation.task import Sources

FILES: Mapping[str, TaskFile] = {
    "references": TaskFile("refs(unc).p or refs(umd).p, or Google RefExp's JSON"),
    "annotations": TaskFile(
        "COCO's instances.json, if not beside it", needed=False, has_boxes=True
    ),
}
NO_SPLIT = "all"  # the split of a file that has none
SPLITS = ("val", "test", "testA", "testB", NO_SPLIT)


@dataclass(frozen=True, slots=True)
class Sentence:
    """What somebody called the object."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Referent:
    """An object with its sentences, at least one."""

    id: str
    image: str  # file name, relative to the folder of the pictures
    size: Size  # (width, height), pixels
    box: Box  # original pixels
    split: str
    sentences: tuple[Sentence, ...]


class _Sentence(msgspec.Struct, gc=False):
    sent_id: Id
    sent: str


class _Ref(msgspec.Struct, gc=False):
    ref_id: Id
    ann_id: Id
    image_id: Id
    split: str
    sentences: list[_Sentence]


class _RefExp(msgspec.Struct, gc=False):
    refexp_id: Id
    raw: str


class _Annotation(msgspec.Struct, gc=False):
    annotation_id: Id
    image_id: Id
    refexp_ids: list[Id]


class _Google(msgspec.Struct):
    annotations: dict[str, _Annotation]
    refexps: dict[str, _RefExp]


class _Row(msgspec.Struct, gc=False):
    annotation_id: Id
    image_id: Id
    gt_refexp: str


def question_set(
    sources: Sources, splits: str, questions_of: Callable[[Referent], Iterable[Question]]
) -> QuestionSet:
    """Questions about the objects of the splits, in the order of the file.

    Left out and counted: objects of other splits, those without a usable sentence or without an
    annotation, and pictures that are not there.

    Args:
        sources: the files.
        splits: names with commas between; a file without splits is taken whole.
        questions_of: makes an object's questions.

    Raises:
        InputError: a file is missing or malformed, there is no such split, an id is there twice,
            none of the objects is annotated, or none of the pictures is there.
    """
    path = sources["references"]
    file = path if ".json" in path.suffixes else refs_file(path)
    refs = _read(file)
    _check_ids(file, refs)
    skipped, dropped = Drops(), Counter[str]()
    chosen = _select_splits(file, refs, splits, dropped)
    boxes = sources.get("annotations") or instances_beside(file)
    if "annotations" not in sources.files and not is_file(boxes):
        raise InputError(f"{boxes}: is not there; give --annotations, COCO's boxes of the objects")
    data = decode_json(boxes, coco_file.DetectionFile, coco_file.WHAT)
    chosen = _select_annotated(file, chosen, boxes, data, dropped)
    images = _find_images(file, chosen, boxes, data, sources.images, skipped)
    form = sources.boxes
    referents = list(_make_referents(chosen, boxes, data, images, form, dropped))
    remarks = _check(boxes, referents, given=form is not None)
    return QuestionSet(
        tuple(question for referent in referents for question in questions_of(referent)),
        skipped=+skipped,
        source=file.name,
        dropped=+dropped,
        remarks=tuple(remarks),
    )


def _check(boxes: Path, referents: Sequence[Referent], *, given: bool) -> list[str]:
    """What is odd about the boxes. Raises InputError where they cannot be of COCO's form."""
    rows = [(*coords_of(item.box), *item.size) for item in referents]
    table = np.array(rows, np.float64).reshape(-1, 6)
    return check_boxes(boxes, table, OwnForm("xywh"), given=given)


def _read(file: Path) -> list[_Ref]:
    if ".json" not in file.suffixes:
        return read_refs(file, list[_Ref])
    data: _Google | list[_Row] = decode_json(
        file,
        _Google | list[_Row],  # type: ignore[arg-type]
        "a file of Google's referring expressions",
    )
    return _group_rows(data) if isinstance(data, list) else _link_sentences(file, data)


def _link_sentences(file: Path, data: _Google) -> list[_Ref]:
    """Google's data set."""
    by_id = {item.refexp_id: _Sentence(item.refexp_id, item.raw) for item in data.refexps.values()}
    refs = []
    for key, item in data.annotations.items():
        unknown = [number for number in item.refexp_ids if number not in by_id]
        if unknown:
            raise InputError(
                f"{file}: annotations[{key!r}].refexp_ids has {unknown[0]!r}, which is not among "
                "the file's refexps; get it again"
            )
        sentences = [by_id[number] for number in item.refexp_ids]
        refs.append(
            _Ref(item.annotation_id, item.annotation_id, item.image_id, NO_SPLIT, sentences)
        )
    return refs


def _group_rows(rows: list[_Row]) -> list[_Ref]:
    """Rows of one sentence; the sentence's id is that of the object and its place there."""
    refs: dict[Id, _Ref] = {}
    for row in rows:
        new = _Ref(row.annotation_id, row.annotation_id, row.image_id, NO_SPLIT, [])
        sentences = refs.setdefault(row.annotation_id, new).sentences
        sentences.append(_Sentence(f"{row.annotation_id}/{len(sentences)}", row.gt_refexp))
    return list(refs.values())


def _check_ids(file: Path, refs: Sequence[_Ref]) -> None:
    """Answers are told apart by them."""
    objects = Counter(str(ref.ref_id) for ref in refs)
    sentences = Counter(str(item.sent_id) for ref in refs for item in ref.sentences)
    for what, counts in (("object", objects), ("sentence", sentences)):
        if twice := next((number for number, n in counts.items() if n > 1), None):
            raise InputError(f"{file}: two {what}s have the id {twice}; ids are unique")


def _select_splits(
    file: Path, refs: Sequence[_Ref], splits: str, dropped: Counter[str]
) -> list[_Ref]:
    known = {ref.split for ref in refs}
    wanted = (
        [name.strip() for name in str(splits).split(",")] if known != {NO_SPLIT} else [NO_SPLIT]
    )
    for name in wanted if refs else ():
        choose_split(name, sorted(known), file)
    selected = [ref for ref in refs if ref.split in wanted]
    dropped["objects of other splits"] += len(refs) - len(selected)
    return selected


def _select_annotated(
    file: Path,
    refs: Sequence[_Ref],
    boxes: Path,
    data: coco_file.DetectionFile,
    dropped: Counter[str],
) -> list[_Ref]:
    """Those whose box and picture COCO's file has."""
    annotations = {item.id: item.image_id for item in data.annotations}
    images = {item.id for item in data.images}
    known = [ref for ref in refs if ref.ann_id in annotations and ref.image_id in images]
    if refs and not known:
        raise InputError(
            f"{boxes}: has none of the {len(refs)} objects of {file.name} (the first is annotation "
            f"{refs[0].ann_id!r} of image {refs[0].image_id!r}); give --annotations, the file that "
            "the sentences were written for"
        )
    dropped["objects without an annotation"] += len(refs) - len(known)
    for ref in known:
        if annotations[ref.ann_id] != ref.image_id:
            raise InputError(
                f"{boxes}: annotation {ref.ann_id!r} is of image {annotations[ref.ann_id]!r}, in "
                f"{file.name} of {ref.image_id!r}; give the file that belongs to the sentences"
            )
    return known


def _find_images(
    file: Path,
    refs: Sequence[_Ref],
    boxes: Path,
    data: coco_file.DetectionFile,
    folder: Path | None,
    skipped: Counter[str],
) -> dict[Id, tuple[str, Size]]:
    """TaskFile name and size of their pictures that are there, by COCO's ids."""
    image_of = {item.id: (place, item) for place, item in enumerate(data.images)}
    names, sizes = {}, {}
    for number in dict.fromkeys(ref.image_id for ref in refs):
        place, image = image_of[number]
        where = f"{boxes}: images[{place}]"
        sizes[number] = check_size(image.width, image.height, where)
        names[number] = _file_names(safe_name(image.file_name, where), number)
    found = find_images(names, folder, file, skipped)
    return {number: (name, sizes[number]) for number, name in found.items()}


def _make_referents(
    refs: Sequence[_Ref],
    boxes: Path,
    data: coco_file.DetectionFile,
    images: Mapping[Id, tuple[str, Size]],
    form: str | None,
    dropped: Counter[str],
) -> Iterator[Referent]:
    """The objects with box and picture, in file order."""
    place_of = {item.id: place for place, item in enumerate(data.annotations)}
    for ref in refs:
        sentences = _usable_sentences(ref, dropped)
        if not sentences:
            dropped["objects without a sentence"] += 1
        elif ref.image_id in images:
            image, size = images[ref.image_id]
            place = place_of[ref.ann_id]
            where = f"{boxes}: annotations[{place}].bbox"
            box = _box(corners_of(data.annotations[place].bbox, size, form, "xywh"), where)
            yield Referent(str(ref.ref_id), image, size, box, ref.split, sentences)


def _file_names(file_name: str, number: Id) -> tuple[str, ...]:
    """Those that the picture may have."""
    if isinstance(number, str):
        return (file_name,)
    return (file_name, *file_names(f"COCO_train2014_{number:012}.jpg"))


def _usable_sentences(ref: _Ref, dropped: Counter[str]) -> tuple[Sentence, ...]:
    """All sentences that can be said, repeated ones too: each counts in the scores."""
    texts = [(str(item.sent_id), one_line(item.sent)) for item in ref.sentences]
    usable = tuple(Sentence(number, text) for number, text in texts if sayable(text))
    dropped["sentences that are empty or have braces"] += len(texts) - len(usable)
    return usable


def _box(corners: tuple[float, float, float, float], where: str) -> Box:
    """As annotated, not clipped: overlaps are those of the official scorers."""
    try:
        return Box(*corners)
    except ValueError as error:
        raise InputError(f"{where}: {error}; give x, y, width, height") from None
