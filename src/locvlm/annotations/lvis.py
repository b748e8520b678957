"""LVIS detection files (``lvis_v1_*.json``; arXiv 1908.03195): COCO's form, 1203 categories.

With so many categories nobody looks for each in each picture. A picture says which ones were
looked for and not found (``neg_category_ids``), and of which ones not every instance has a box
(``not_exhaustive_category_ids``); only the former are absent, and of the latter nobody knows how
many there are. Names are written with spaces in place of LVIS's underscores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import msgspec

from locvlm.annotations import coco, coco_file
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.coco_loose import decode_detections
from locvlm.annotations.drops import Drops
from locvlm.annotations.form_names import BoxForm
from locvlm.errors import InputError
from locvlm.io.reading import Id


class _Image(coco_file.ImageEntry, kw_only=True, gc=False):
    file_name: str = ""  # LVIS v1 has the address alone
    neg_category_ids: Sequence[Id]
    not_exhaustive_category_ids: Sequence[Id] = ()


class _Lvis(coco_file.DetectionFile, kw_only=True):
    images: Sequence[_Image]


def read_lvis(
    path: str | Path,
    *,
    images: str | Path | None = None,
    captions: str | Path | None = None,
    boxes: BoxForm | None = None,
) -> AnnotationSet:
    """All pictures of an LVIS file; arguments, drops and errors as those of `read_coco`.

    A picture without ``file_name`` is looked for under the end of its ``coco_url``, first with its
    folder (``val2017/000000397133.jpg``), then without.
    """
    path = Path(path)
    drops = Drops()
    data = decode_detections(path, _Lvis, "an LVIS detection file (lvis_*.json)", drops)
    data.categories = [
        msgspec.structs.replace(item, name=item.name.replace("_", " ")) for item in data.categories
    ]
    file_names = {item.id: _file_names(path, place, item) for place, item in enumerate(data.images)}
    names = coco_file.category_names(path, data.categories)
    absent, not_exhaustive = {}, {}
    for place, item in enumerate(data.images):
        where = f"{path}: images[{place}]"
        more = _find_names(
            item.not_exhaustive_category_ids, names, f"{where}.not_exhaustive_category_ids"
        )
        none = _find_names(item.neg_category_ids, names, f"{where}.neg_category_ids")
        absent[item.id] = tuple(name for name in none if name not in more)
        not_exhaustive[item.id] = more
    return coco.build_annotation_set(
        path,
        data,
        images=images,
        captions=captions,
        boxes=boxes,
        drops=drops,
        file_names=file_names,
        absent=absent,
        not_exhaustive=not_exhaustive,
    )


def _find_names(ids: Sequence[Id], names: Mapping[Id, str], where: str) -> tuple[str, ...]:
    for number in ids:
        if number not in names:
            raise InputError(
                f"{where}: the category {number!r} is not among the file's categories; add it"
            )
    return tuple(dict.fromkeys(names[number] for number in ids))


def _file_names(path: Path, place: int, item: _Image) -> tuple[str, ...]:
    if item.file_name:
        return (item.file_name,)
    try:
        parts = PurePosixPath(urlsplit(item.coco_url or "").path).parts
    except ValueError:  # half of an IPv6 address
        parts = ()
    if not parts:
        raise InputError(f"{path}: images[{place}] has neither file_name nor coco_url; give one")
    return ("/".join(parts[-2:]).lstrip("/"), parts[-1])
