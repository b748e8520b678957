"""YOLO data sets in the form of Ultralytics: ``data.yaml``, pictures, and a text file for each.

    path: .                    # folder of the data set, from data.yaml
    train: images/train        # folder, list of folders, or text file with one picture a line
    val: images/val
    names: {0: person, 1: dog}

    images/train/7.jpg   labels/train/7.txt:   1 0.5 0.5 0.25 0.1      class, center, width, height

Numbers are shares (0 … 1) of the width and height of the picture as displayed, its EXIF
orientation applied, as Ultralytics reads it. Of polygons and rotated boxes the upright box around
them is taken, of key points none is read; both are counted (`locvlm.annotations.yolo_labels`).
Other ways to say where the pictures are and what the classes are called are those of
`locvlm.annotations.yolo_settings`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.drops import Drops, note
from locvlm.annotations.form_names import BoxForm
from locvlm.annotations.splits import ALL, choose_split
from locvlm.annotations.yolo_labels import LabelReader
from locvlm.annotations.yolo_settings import (
    SPLITS,
    Settings,
    absolute,
    class_names,
    find_root,
    keypoint_numbers,
    place_below,
    read_settings,
    settings_file,
)
from locvlm.errors import InputError
from locvlm.io.reading import files_below, is_file, is_folder, text_lines
from locvlm.media.image_files import (
    IMAGE_SUFFIXES,
    ImageFolder,
    check_folder,
    check_name,
    header_or_none,
    safe_name,
)

UNLABELLED = "pictures without a label file"
DANGLING = "links to pictures that lead nowhere"
_VAL_FOLDERS = ("images/val", "images/valid", "val/images", "valid/images")
_IMAGE = re.compile("image", re.IGNORECASE)


def read_yolo(
    path: str | Path,
    *,
    images: str | Path | None = None,
    split: str | None = None,
    boxes: BoxForm | None = None,
) -> AnnotationSet:
    """The pictures of a split that ``data.yaml`` leads to and that have a label file.

    Where it names no pictures, they are looked for in ``images/train`` and so on, or ``images``.

    An empty label file says that nothing is in the picture; a missing one says nothing, so its
    picture is left out. Every category was looked for in all other pictures.

    Left out and counted in ``drops``: pictures without a label file, that cannot be read, or that
    are not in the folder `images`; repeated lines; boxes without area or wholly outside. Boxes
    that reach out are clipped, kept and counted.

    Args:
        path: ``data.yaml``, darknet's ``obj.data``, a list of class names (``classes.txt``,
            ``obj.names``), or the folder with one of them.
        images: folder that the file names are to be relative to; None: that of the data set.
        split: train, val or test, or all of them; None: train, or the only one there is.
        boxes: how the four numbers are written; None: center, width, height, as shares.

    Raises:
        InputError: the YAML file or a label file is malformed (with its line), numbers are pixels,
            a path leads out of the data set, a category is unknown, or there are no pictures.
    """
    file = settings_file(Path(path))
    settings = read_settings(file)
    drops = Drops()
    root = find_root(file, settings, Path(images) if images is not None else None, drops)
    names = class_names(file, root, settings)
    base = absolute(check_folder(Path(images))) if images is not None else root
    labels = LabelReader(names, keypoint_numbers(file, settings.get("kpt_shape")), drops, boxes)
    places = _splits(file, root, settings, drops)
    splits = tuple(filter(None, places))
    split = choose_split(split, splits, file)
    folder = ImageFolder(root, drops)
    found: dict[Path, str] = {}  # image -> split, the first that has it
    for name, place in places.items():
        if split in (ALL, name):
            for image in _find_images(file, folder, root, name, place, drops):
                found.setdefault(image, name)
    folder.check(file)
    inside_base = [image for image in found if image.is_relative_to(base)]
    if not inside_base:
        raise InputError(
            f"{file}: leads to {len(found)} pictures, none of them in {base}; check path, train, "
            "val and test, and the folder of pictures"
        )
    drops["pictures outside of the folder of pictures"] += len(found) - len(inside_base)
    annotated = [
        item for image in inside_base if (item := _image(image, base, found[image], labels, drops))
    ]
    labels.check()
    if drops[UNLABELLED] == len(inside_base):
        raise InputError(
            f"{file}: none of the {len(inside_base)} pictures has a label file; that of "
            f"{inside_base[0]} would be {_label_places(inside_base[0])[0]}"
        )
    return AnnotationSet(
        images=tuple(annotated),
        categories=tuple(dict.fromkeys(names.values())),
        source=Path(path),
        drops=+drops,
        splits=splits,
        remarks=_tell_unnamed(root, splits),
        options={"split": split},
        category_ids={str(number): name for number, name in names.items()},
    )


def _splits(file: Path, root: Path, settings: Settings, drops: Counter[str]) -> dict[str, Any]:
    """What names the pictures of each split; of pictures without splits, under an empty name."""
    named = {name: settings[name] for name in SPLITS if settings.get(name)}
    if named:
        return named
    usual = {name: f"images/{name}" for name in SPLITS if is_folder(root / "images" / name)}
    listed = file.suffix not in (".yaml", ".yml")
    if listed and not is_folder(root / "images"):
        return _without_yaml(root)
    if not usual and not is_folder(root / "images"):
        raise InputError(
            f"{file}: has no {' nor '.join(SPLITS)}, and there is no folder {root / 'images'}; "
            "add train: with the folder of the pictures"
        )
    drops["data.yaml that names no pictures, the folder images taken"] += not listed
    return usual or {"": "images"}


def _tell_unnamed(root: Path, splits: Sequence[str]) -> tuple[str, ...]:
    """Whether there is a folder of val that nothing names, in a data set with other splits."""
    if not splits or "val" in splits:
        return ()
    return tuple(
        f"the folder {name} is not read: write val: {name} into data.yaml for the split val"
        for name in _VAL_FOLDERS
        if is_folder(root / name)
    )


def _without_yaml(root: Path) -> dict[str, Any]:
    """Folders of the splits with folders images in them; else the pictures beside the names."""
    folders = {name: name for name in SPLITS} | (
        {"val": "valid"} if is_folder(root / "valid") else {}
    )
    splits = {
        name: f"{folder}/images"
        for name, folder in folders.items()
        if is_folder(root / folder / "images")
    }
    return splits or {"": "."}


def _find_images(
    file: Path, folder: ImageFolder, root: Path, split: str, places: object, drops: Counter[str]
) -> Iterator[Path]:
    """The picture files of a split, absolute."""
    where = f"{file}: {split}" if split else str(file)
    for entry in places if isinstance(places, list) else [places]:
        if not isinstance(entry, str):
            raise InputError(f"{where} is neither a folder nor a list of folders")
        for image in _list_files(_below(root, entry, where), folder, root, where):
            if is_file(image):
                yield image
            elif image.is_symlink():
                note(drops, DANGLING, str(image))


def _below(root: Path, entry: str, where: str) -> Path:
    """`entry` inside `root`; exports of Roboflow have one ``../`` too many."""
    place = place_below(root, entry)
    return root / (place or safe_name(entry.removeprefix("../"), where))


def _list_files(place: Path, folder: ImageFolder, root: Path, where: str) -> Iterator[Path]:
    if is_folder(place):
        yield from (file for file in files_below(place) if file.suffix.lower() in IMAGE_SUFFIXES)
    elif place.suffix == ".txt":
        for line, text in enumerate(text_lines(place), start=1):
            if text.strip():
                name = check_name(text.strip(), f"{place}: line {line}")
                if found := folder.find(_names_in_list(name, place.parent.relative_to(root))):
                    yield absolute(root / found)
    else:
        raise InputError(f"{where} leads to {place}, which is no folder and no text file")


def _names_in_list(name: str, below: PurePath) -> tuple[str, ...]:
    """Relative to the list, to the data set, or to where a trainer was started."""
    plain = name.replace("\\", "/").removeprefix("./")
    return ((below / plain).as_posix(), plain, f"/{plain}")


def _image(
    image: Path, base: Path, split: str, labels: LabelReader, drops: Counter[str]
) -> AnnotatedImage | None:
    file = _label_file(image)
    if file is None:
        drops[UNLABELLED] += 1
    elif seen := header_or_none(image, drops):
        found = labels.read(file, seen.displayed)
        name = safe_name(image.relative_to(base).as_posix(), str(base))
        return AnnotatedImage(name, name, *seen.displayed, split=split, **found.fields())
    return None


def _label_file(image: Path) -> Path | None:
    """The first that is there of those that a picture may have."""
    return next(filter(is_file, _label_places(image)), None)


def _label_places(image: Path) -> list[Path]:
    """Where ``images``, last in the path, is ``labels``; else beside the picture.

    Else where another folder's name speaks of images and the same with labels is there, as
    ``JPEGImages`` and ``JPEGLabels``, or ``labels``.
    """
    folders = list(image.parent.parts)
    places = [folders]
    if "images" in folders:
        last = len(folders) - 1 - folders[::-1].index("images")
        labels = [*folders[:last], "labels"]
        places = [[*labels, *folders[last + 1 :]], *places * (not is_folder(Path(*labels)))]
    else:
        for place, name in reversed(list(enumerate(folders))):
            if "image" in name.lower():
                for other in dict.fromkeys((_IMAGE.sub(_as_label, name), "labels")):
                    places.append([*folders[:place], other, *folders[place + 1 :]])
    return [Path(*parts, f"{image.stem}.txt") for parts in places]


def _as_label(match: re.Match[str]) -> str:
    return "Label" if match[0][0] == "I" else "label"
