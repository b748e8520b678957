"""Open Images: boxes in CSV files (storage.googleapis.com/openimages/web/download_v7.html).

    train-annotations-bbox.csv         ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf,…
    class-descriptions-boxable.csv     /m/0bt9lr,Dog                (no header before version 7)
    …-human-imagelabels.csv            ImageID,Source,LabelName,Confidence

Numbers are shares (0 … 1) of the width and height of the picture's pixels as they are stored: the
orientation of a photo came later, and turns picture and boxes together. Where a picture file has an
EXIF orientation its boxes are turned with it, into the pixels as displayed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.box_forms import SHARES, corners_of
from locvlm.annotations.boxes import ImageFindings, clip_box
from locvlm.annotations.drops import Drops
from locvlm.annotations.form_names import BoxForm
from locvlm.errors import InputError
from locvlm.io.reading import csv_rows, is_file, name_of, parse_number, quote
from locvlm.media.headers import Header
from locvlm.media.image_files import find_images, header_or_none, safe_name

CLASSES = (
    "class-descriptions-boxable.csv",
    "oidv7-class-descriptions-boxable.csv",
    "oidv6-class-descriptions-boxable.csv",
    "class-descriptions.csv",
    "oidv7-class-descriptions.csv",
    "oidv6-class-descriptions.csv",
)
LABELS = (
    "{split}-annotations-human-imagelabels-boxable.csv",
    "oidv7-{split}-annotations-human-imagelabels.csv",
    "oidv6-{split}-annotations-human-imagelabels.csv",
    "{split}-annotations-human-imagelabels.csv",
)
BOX = ("XMin", "XMax", "YMin", "YMax")

Row = tuple[str, str, tuple[float, float, float, float], bool]  # place, label, shares, group


def read_openimages(
    path: str | Path,
    *,
    images: str | Path | None = None,
    classes: str | Path | None = None,
    image_labels: str | Path | None = None,
    boxes: BoxForm | None = None,
) -> AnnotationSet:
    """All pictures that the CSV file of boxes names and that are in the folder `images`.

    Only categories that a person looked for and did not find (Confidence 0 in `image_labels`) are
    absent from a picture; without that file nothing is. A box of a group is a crowd.

    Left out and counted in ``drops``: pictures that are not in the folder or cannot be read, boxes
    without area or wholly outside, image labels of other pictures or categories. Boxes that reach
    out are clipped, kept and counted.

    Args:
        path: the CSV file of boxes.
        images: folder of the pictures, ``<ImageID>.jpg``; needed, for the files have no sizes.
        classes: CSV file of the categories' names; None: the one beside `path`.
        image_labels: CSV file of human-verified image labels; None: the one of the same split
            beside `path`, if there is one.
        boxes: how XMin, YMin, XMax, YMax are written; None: edges, shares of the picture.

    Raises:
        InputError: a file is missing or malformed (with its line), a label has no name, an ImageID
            is no file name, or the folder holds none of the pictures.
    """
    path = Path(path)
    if images is None:
        raise InputError(
            f"{path}: has boxes as shares of pictures whose sizes it does not tell; give the "
            "folder of the pictures"
        )
    classes = Path(classes) if classes is not None else _classes_beside(path)
    labels = Path(image_labels) if image_labels is not None else _labels_beside(path)
    drops = Drops()
    names = _read_names(classes)
    rows = _read_rows(path, names)
    found = find_images({key: (f"{key}.jpg",) for key in rows}, Path(images), path, drops)
    absent = _read_absent(labels, names, rows, drops) if labels else {}
    annotated = []
    for key, name in found.items():
        header = header_or_none(Path(images) / name, drops)
        if header:
            fields = _find_objects(rows[key], header, names, boxes, drops).fields()
            none = tuple(dict.fromkeys(absent.get(key, ())))
            annotated.append(AnnotatedImage(key, name, *header.displayed, absent=none, **fields))
    used = {"classes": classes, "image_labels": labels}
    return AnnotationSet(
        images=tuple(annotated),
        categories=tuple(dict.fromkeys(names.values())),
        source=path,
        drops=+drops,
        options={name: str(file.resolve()) for name, file in used.items() if file},
    )


def _classes_beside(path: Path) -> Path:
    for name in CLASSES:
        if is_file(path.parent / name):
            return path.parent / name
    raise InputError(
        f"{path}: {CLASSES[0]} is not beside it; give the file of the class names (--classes)"
    )


def _labels_beside(path: Path) -> Path | None:
    """``train-annotations-human-imagelabels….csv`` beside ``train-annotations-bbox.csv``."""
    split, middle, _ = path.name.partition("-annotations-bbox")
    split = split.removeprefix("oidv6-").removeprefix("oidv7-")
    spellings = {split, {"validation": "val"}.get(split, split)} if middle else set[str]()
    for spelling in sorted(spellings, reverse=True):
        for pattern in LABELS:
            file = path.parent / pattern.format(split=spelling)
            if is_file(file):
                return file
    return None


def _read_names(file: Path) -> dict[str, str]:
    """The category's name by its label, such as /m/0bt9lr."""
    names = {}
    for place, row in csv_rows(file, (), columns=("LabelName", "DisplayName")):
        name = name_of(row["DisplayName"], place)
        if not name:
            raise InputError(f"{place}: {quote(row['LabelName'])} has no name")
        names[row["LabelName"]] = name
    names.pop("LabelName", None)  # the header, from version 7 on
    return names


def _read_rows(path: Path, names: dict[str, str]) -> dict[str, list[Row]]:
    """The boxes of each picture, in file order."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for place, row in csv_rows(path, ("ImageID", "LabelName", *BOX)):
        if row["LabelName"] not in names:
            raise InputError(
                f"{place}: the label {quote(row['LabelName'])} is not in the file of class names"
            )
        x1, x2, y1, y2 = (parse_number(row[name], f"{place}, {name}") for name in BOX)
        image = safe_name(row["ImageID"], f"{place}, ImageID")
        group = row.get("IsGroupOf", "0") == "1"
        rows[image].append((place, row["LabelName"], (x1, y1, x2, y2), group))
    return rows


def _find_objects(
    rows: list[Row], header: Header, names: dict[str, str], form: str | None, drops: Counter[str]
) -> ImageFindings:
    found = ImageFindings()
    for place, label, numbers, group in rows:
        coords = corners_of(numbers, header.stored, form or SHARES, "xyxy")
        box = clip_box(coords, header.stored, drops, place)
        found.add(names[label], header.upright(box) if box else None, crowd=group)
    return found


def _read_absent(
    file: Path, names: dict[str, str], rows: dict[str, list[Row]], drops: Counter[str]
) -> dict[str, list[str]]:
    """The categories that a person did not find, by picture."""
    absent: dict[str, list[str]] = defaultdict(list)
    for place, row in csv_rows(file, ("ImageID", "LabelName", "Confidence")):
        if row["ImageID"] not in rows:
            drops["image labels of other pictures"] += 1
        elif row["LabelName"] not in names:
            drops["image labels of categories without boxes"] += 1
        elif parse_number(row["Confidence"], f"{place}, Confidence") == 0:
            absent[row["ImageID"]].append(names[row["LabelName"]])
    return absent
