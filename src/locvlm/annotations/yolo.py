"""YOLO data sets in the form of Ultralytics: ``data.yaml``, pictures, and a text file for each.

    path: .                    # folder of the data set, from data.yaml
    train: images/train        # folder, list of folders, or text file with one picture a line
    val: images/val
    names: {0: person, 1: dog}

    images/train/7.jpg   labels/train/7.txt:   1 0.5 0.5 0.25 0.1      class, center, width, height

Numbers are shares (0 … 1) of the width and height of the picture as displayed, its EXIF
orientation applied, as Ultralytics reads it. A line with more numbers is a polygon, of which the
box around it is taken; with ``kpt_shape`` it is a box and then key points, which are not read.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.boxes import ImageFindings, clip_box
from locvlm.annotations.drops import Drops
from locvlm.annotations.splits import ALL, choose_split
from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.io.reading import (
    files_below,
    is_file,
    is_folder,
    is_unicode,
    list_entries,
    name_of,
    one_line,
    parse_integer,
    parse_number,
    quote,
    read_bytes,
    text_lines,
)
from locvlm.media.image_files import IMAGE_SUFFIXES, check_folder, header_or_none, safe_name

SPLITS = ("train", "val", "test")
MOST = 2  # shares; a box may reach out of its picture, but larger numbers are pixels

Names = Mapping[int, str]


def read_yolo(
    path: str | Path, *, images: str | Path | None = None, split: str | None = None
) -> AnnotationSet:
    """The pictures of a split that ``data.yaml`` leads to and that have a label file.

    Where it names no pictures, they are looked for in ``images/train`` and so on, or ``images``.

    An empty label file says that nothing is in the picture; a missing one says nothing, so its
    picture is left out. Every category was looked for in all other pictures.

    Left out and counted in ``drops``: pictures without a label file, that cannot be read, or that
    are not in the folder `images`; repeated lines; boxes without area or wholly outside. Boxes
    that reach out are clipped, kept and counted.

    Args:
        path: ``data.yaml``, or the folder with it.
        images: folder that the file names are to be relative to; None: that of the data set.
        split: train, val or test, or all of them; None: train, or the only one there is.

    Raises:
        InputError: the YAML file or a label file is malformed (with its line), numbers are pixels,
            a path leads out of the data set, a category is unknown, or there are no pictures.
    """
    file = _yaml_file(Path(path))
    settings = _settings(file)
    names = _names(file, settings.get("names"))
    drops = Drops()
    root = _root(file, settings, drops)
    base = _absolute(check_folder(Path(images))) if images is not None else root
    keypoints = _keypoints(file, settings.get("kpt_shape"))
    places = _splits(file, root, settings, drops)
    splits = tuple(filter(None, places))
    split = choose_split(split, splits, file)
    found = dict.fromkeys(
        image
        for name, place in places.items()
        if split in (ALL, name)
        for image in _find_images(file, root, name, place)
    )
    inside_base = [image for image in found if image.is_relative_to(base)]
    if not inside_base:
        raise InputError(
            f"{file}: leads to {len(found)} pictures, none of them in {base}; check path, train, "
            "val and test, and the folder of pictures"
        )
    drops["pictures outside of the folder of pictures"] += len(found) - len(inside_base)
    annotated = (_image(item, base, names, keypoints, drops) for item in inside_base)
    return AnnotationSet(
        images=tuple(item for item in annotated if item),
        categories=tuple(dict.fromkeys(names.values())),
        source=Path(path),
        drops=+drops,
        splits=splits,
        options={"split": split},
    )


def _yaml_file(path: Path) -> Path:
    if not is_folder(path):
        return path
    files = sorted(list_entries(path, "*.y*ml"))
    named = [file for file in files if file.stem == "data"]
    if len(named or files) != 1:
        raise InputError(f"{path}: has {len(files)} YAML files; give the one with names and train")
    return (named or files)[0]


def _settings(file: Path) -> dict[str, Any]:
    """The YAML file with all plain values as text, so that no name is read as yes or no."""
    try:
        tree = yaml.load(read_bytes(file), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = one_line(str(error))
        raise InputError(f"{file}: not YAML ({quote(reason, 200)}); correct it") from None
    if not isinstance(tree, dict):
        raise InputError(f"{file}: not a data.yaml of a YOLO data set; it needs names and train")
    return tree


def _names(file: Path, tree: object) -> dict[int, str]:
    pairs = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    names = {}
    for key, name in pairs:
        if not isinstance(name, str) or not one_line(name) or not is_unicode(name):
            raise InputError(f"{file}: names[{quote(key)}] is no name; give one for each class")
        names[parse_integer(str(key), f"{file}: names")] = name_of(
            name, f"{file}: names[{quote(key)}]"
        )
    if not names:
        raise InputError(f"{file}: has no names; list the classes, as in names: [person, dog]")
    return names


def _keypoints(file: Path, shape: object) -> int:
    """How many numbers behind a box belong to its key points."""
    if shape is None:
        return 0
    if not isinstance(shape, list) or len(shape) != 2:
        raise InputError(f"{file}: kpt_shape is not [number of points, numbers of each]")
    points, numbers = (parse_integer(str(item), f"{file}: kpt_shape") for item in shape)
    return points * numbers


def _root(file: Path, settings: Mapping[str, Any], drops: Counter[str]) -> Path:
    """Folder of the data set: ``path``, or where the YAML file is.

    Data sets that were moved, and those of Ultralytics itself, have a ``path`` that is not there.
    """
    declared = settings.get("path") or "."
    if not isinstance(declared, str):
        raise InputError(f"{file}: path is no folder; give its name")
    root = file.parent / declared
    there = is_folder(root)
    drops["paths in data.yaml that are not there, its own folder taken"] += not there
    return _absolute(root if there else file.parent)


def _splits(
    file: Path, root: Path, settings: Mapping[str, Any], drops: Counter[str]
) -> dict[str, Any]:
    """What names the pictures of each split; of pictures without splits, under an empty name."""
    named = {name: settings[name] for name in SPLITS if settings.get(name)}
    if named:
        return named
    usual = {name: f"images/{name}" for name in SPLITS if is_folder(root / "images" / name)}
    if not usual and not is_folder(root / "images"):
        raise InputError(
            f"{file}: has no {' nor '.join(SPLITS)}, and there is no folder {root / 'images'}; "
            "add train: with the folder of the pictures"
        )
    drops["data.yaml that names no pictures, the folder images taken"] += 1
    return usual or {"": "images"}


def _find_images(file: Path, root: Path, split: str, places: object) -> Iterator[Path]:
    """The picture files of a split, absolute."""
    where = f"{file}: {split}" if split else str(file)
    for entry in places if isinstance(places, list) else [places]:
        if not isinstance(entry, str):
            raise InputError(f"{where} is neither a folder nor a list of folders")
        yield from _list_files(_below(root, entry, where), where)


def _below(root: Path, entry: str, where: str) -> Path:
    """`entry` inside `root`; exports of Roboflow have one ``../`` too many."""
    return root / safe_name(entry.removeprefix("../") or ".", where)


def _list_files(place: Path, where: str) -> Iterator[Path]:
    if is_folder(place):
        images = (file for file in files_below(place) if file.suffix.lower() in IMAGE_SUFFIXES)
        yield from filter(is_file, images)
    elif place.suffix == ".txt":
        for line, text in enumerate(text_lines(place), start=1):
            if text.strip():
                name = safe_name(text.strip(), f"{place}: line {line}")
                yield _absolute(place.parent / name)
    else:
        raise InputError(f"{where} leads to {place}, which is no folder and no text file")


def _image(
    image: Path, base: Path, names: Names, keypoints: int, drops: Counter[str]
) -> AnnotatedImage | None:
    labels = _label_file(image)
    if not is_file(image):
        drops["pictures whose file is missing"] += 1
    elif not is_file(labels):
        drops["pictures without a label file"] += 1
    elif seen := header_or_none(image, drops):
        found = _objects(labels, seen.displayed, names, keypoints, drops)
        name = safe_name(image.relative_to(base).as_posix(), str(base))
        return AnnotatedImage(name, name, *seen.displayed, **found.fields())
    return None


def _label_file(image: Path) -> Path:
    """Where ``images``, last in the path, is ``labels``; else beside the picture."""
    folders = list(image.parent.parts)
    if "images" in folders:
        last = len(folders) - 1 - folders[::-1].index("images")
        folders[last] = "labels"
    return Path(*folders, f"{image.stem}.txt")


def _objects(
    file: Path, size: Size, names: Names, keypoints: int, drops: Counter[str]
) -> ImageFindings:
    found, seen = ImageFindings(), set()
    for line, text in enumerate(text_lines(file), start=1):
        where = f"{file}: line {line}"
        words = tuple(text.split())
        if not words:
            continue
        if words in seen:
            drops["repeated lines in label files"] += 1
            continue
        seen.add(words)
        category = parse_integer(words[0], f"{where}, class")
        if category not in names:
            raise InputError(f"{where}: class {category} is not among the names of data.yaml")
        box = clip_box(_corners(words[1:], size, keypoints, where), size, drops, where)
        found.add(names[category], box, id=line)
    return found


def _corners(
    words: tuple[str, ...], size: Size, keypoints: int, where: str
) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 in pixels."""
    width, height = size
    polygon = not keypoints and len(words) >= 6 and len(words) % 2 == 0
    if not polygon and len(words) != 4 + keypoints:
        raise InputError(
            f"{where}: {len(words)} numbers behind the class; a box has 4, a polygon 6, 8, 10 …"
        )
    values = [parse_number(word, where) for word in words]
    for value in values if polygon else values[:4]:
        if abs(value) > MOST:
            raise InputError(
                f"{where}: {value:g} is no share of the picture; divide pixels by its width and "
                "height"
            )
    if polygon:
        xs, ys = values[::2], values[1::2]
        return min(xs) * width, min(ys) * height, max(xs) * width, max(ys) * height
    cx, cy, w, h = values[:4]
    return (cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height


def _absolute(path: Path) -> Path:
    """Without ``..``; links are kept, for labels are found by the names of folders."""
    return Path(os.path.abspath(path))  # noqa: PTH100
