"""What detectors saw, of which a detection file is made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from locvlm.errors import InputError
from locvlm.media.image_files import check_folder, safe_name
from locvlm.parallel.parts import remove_parts
from locvlm.pseudo import coco_file


class DetectionRow(msgspec.Struct, frozen=True):
    """One picture."""

    width: int = 0  # pixels, as displayed
    height: int = 0
    boxes: list[tuple[float, float, float, float]] = []  # xyxy
    scores: list[float] = []
    labels: list[int] = []  # places in the categories
    absent: list[int] = []
    unsure: list[int] = []
    boxless: list[int] = []  # surely there, without a box: stuff, such as sky; unsure, too
    doubles: int = 0  # boxes left out, each for a surer one in its place
    error: str = ""  # why it cannot be read


@dataclass
class DetectionSummary:
    """What came of it."""

    pictures: int = 0
    boxes: int = 0
    absences: int = 0
    doubles: int = 0  # boxes left out, each for a surer one in its place
    skipped: dict[str, str] = field(default_factory=dict)  # picture -> why
    lacks: str = ""  # what the detector cannot tell, in words


@dataclass
class Listing:
    """The files that are looked at, and those that are not."""

    names: list[str] = field(default_factory=list)  # relative to the folder, sorted
    skipped: dict[str, str] = field(default_factory=dict)  # no file of annotations can have these
    others: list[str] = field(default_factory=list)  # with other endings, sorted


def list_files(folder: Path, is_wanted: Callable[[Path], bool], what: str) -> Listing:
    """The files in a folder and those in it.

    Args:
        folder: where to look.
        is_wanted: whether a file is one, by its name or what is in it.
        what: each of them is, "picture".

    Raises:
        InputError: no such folder, or none in it.
    """
    found = Listing()
    for path in sorted(check_folder(folder, f"{what}s").rglob("*")):
        if not path.is_file() and not _is_dangling_link(path):
            continue
        name = path.relative_to(folder).as_posix()
        if not is_wanted(path):
            found.others.append(_writable(name))
            continue
        try:
            found.names.append(safe_name(name, str(folder)))
        except InputError as error:
            found.skipped[_writable(name)] = str(error)
    if not found.names:
        if found.skipped:
            raise InputError(next(iter(found.skipped.values())))
        others = f"; it has {found.others[0]}" if found.others else ""
        raise InputError(f"{folder}: no {what}s in it{others}")
    return found


def has_suffix(suffixes: Collection[str]) -> Callable[[Path], bool]:
    """Whether a name ends in one of these, in whatever case."""
    return lambda path: path.suffix.lower() in suffixes


def _writable(name: str) -> str:
    """A name that is no Unicode with its odd bytes written out."""
    return name.encode(errors="backslashreplace").decode()


def _is_dangling_link(path: Path) -> bool:
    """A link to what is not there: kept, so that it is told that it cannot be read."""
    return path.is_symlink() and not path.exists()


def parts_folder(out: Path) -> Path:
    """The folder of the unfinished work on a file."""
    return out.with_name(out.name + ".parts")


def write_detections(
    out: Path,
    seen: Mapping[str, DetectionRow],
    categories: Sequence[str],
    provenance: Mapping[str, Any],
    skipped: Mapping[str, str] | None = None,
) -> DetectionSummary:
    """Write what was seen as a COCO file; the unfinished work goes.

    Args:
        out: the file.
        seen: in each picture or clip, by its name, or why that cannot be read.
        categories: names, in the order of their places in what was seen.
        provenance: how it was made, with ``lacks`` where the detector has such; what cannot be read
            is added.
        skipped: files that were not looked at, each with the reason.

    Raises:
        InputError: none of them can be read (then, too, the unfinished work goes), or the file
            cannot be written.
    """
    result = DetectionSummary(skipped=dict(skipped or {}), lacks=provenance.get("lacks", ""))
    images: list[coco_file.CocoImage] = []
    annotations: list[coco_file.CocoAnnotation] = []
    for number, (name, row) in enumerate(seen.items(), 1):
        if row.error:
            result.skipped[name] = row.error
            continue
        images.append(_coco_image(number, name, row))
        annotations += _coco_annotations(number, row)
        result.absences += len(row.absent)
        result.doubles += row.doubles
    if not images:
        remove_parts(parts_folder(out))
        first = next(iter(result.skipped.values()))
        raise InputError(f"nothing that can be read; the first of {len(seen)} files: {first}")
    result.pictures, result.boxes = len(images), len(annotations)
    whole = {**provenance, "skipped": result.skipped}
    coco_file.write_coco(out, categories, images, annotations, whole)
    remove_parts(parts_folder(out))
    return result


def _coco_image(number: int, name: str, row: DetectionRow) -> coco_file.CocoImage:
    return coco_file.CocoImage(
        id=number,
        file_name=name,
        width=row.width,
        height=row.height,
        neg_category_ids=[place + 1 for place in row.absent],
        not_exhaustive_category_ids=[place + 1 for place in row.unsure],
    )


def _coco_annotations(number: int, row: DetectionRow) -> Iterator[coco_file.CocoAnnotation]:
    for (x1, y1, x2, y2), score, label in zip(row.boxes, row.scores, row.labels, strict=True):
        yield coco_file.CocoAnnotation(
            image_id=number,
            category_id=label + 1,
            bbox=(x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)),
            area=round((x2 - x1) * (y2 - y1), 2),
            iscrowd=0,
            score=score,
        )
