"""Annotations in parts, one for each split: folders called as the splits, or files.

    train/  valid/  test/                          each as the form has it: with a COCO file (as
                                                   Roboflow exports it), with XML files, …
    instances_train2017.json  instances_val2017.json   in the folder, or in annotations/ there

Their images lie in folders that are called as the splits, in the folder of the images, or all
together there. Any form can come so. One that names its splits itself (as data.yaml does) is not
looked at here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.columns import ColumnarImages
from locvlm.annotations.drops import Drops, examples_of
from locvlm.annotations.splits import (
    TEST,
    TRAIN,
    VAL,
    canonical_split,
    choose_split,
    name_splits,
)
from locvlm.annotations.unboxed import UNBOXED, tell_unboxed
from locvlm.errors import InputError
from locvlm.io.reading import is_file, is_folder, list_entries
from locvlm.media.image_files import IMAGE_SUFFIXES

if TYPE_CHECKING:
    ReadPart = Callable[[Path, Path | None], AnnotationSet]  # of annotations, folder of images

ENDINGS = (".json", ".gz", ".csv", ".xml", ".jsonl", ".ndjson", ".parquet", ".arrow")
USUAL = (TRAIN, VAL, TEST)
UNREAD = "called as a split, but without annotations in the form of the others, so not read: "
MOST = 20  # files of annotations in a folder; of more, none stands for a whole split
IMAGE_FOLDERS = ("images", "JPEGImages", "photos", "img")  # in the folder of a split
PREFERRED = "instances"  # COCO has captions and key points beside


@dataclass(frozen=True, slots=True)
class SplitPart:
    """The annotations of a split."""

    own: str  # what the split is called there
    path: Path  # that the reader takes
    folder: bool  # whether the images may lie in a folder beside them


def find_parts(path: Path, is_form: Callable[[Path], bool]) -> list[SplitPart]:
    """The parts at `path` that are of a form; none where it is no folder of such.

    Args:
        path: of the annotations.
        is_form: whether a file or folder is of the form; not asked of `path` itself.

    Raises:
        InputError: several files would be the same split.
    """
    if not is_folder(path):
        return []
    found = {}
    for folder in sorted(filter(is_folder, list_entries(path))):
        if canonical_split(folder.name) in USUAL:
            files = [folder] if is_form(folder) else list(filter(is_form, _files(folder)))
            if files:
                found[folder.name] = SplitPart(folder.name, _only(path, folder.name, files), True)
    if not found:
        for own, files in _files_by_split(path).items():
            if fitting := list(filter(is_form, files)):
                found[own] = SplitPart(own, _only(path, own, fitting), False)
    return sorted(found.values(), key=lambda part: USUAL.index(canonical_split(part.own)))


def read_parts(
    parts: Sequence[SplitPart], read: ReadPart, path: Path, images: Path | None, split: str | None
) -> AnnotationSet:
    """The annotations of a split, or of all of them together.

    Ids begin with what the split is called, for each part counts its own.

    Args:
        parts: as `find_parts` gives them; at least one.
        read: reads the annotations of one.
        path: that they were found at.
        images: folder of the images; None: do not look whether they are there.
        split: see `choose_split`.

    Raises:
        InputError: there is no such split, or whatever `read` cannot use.
    """
    names = name_splits(part.own for part in parts)
    unread = _list_unread(parts, path)
    chosen = choose_split(split, tuple(names.values()), path)
    wanted = [part for part in parts if names[part.own] == chosen] or parts
    made = [_read_part(part, names[part.own], read, images) for part in wanted]
    splits = {"splits": tuple(names.values()), "options": {**made[0].options, "split": chosen}}
    data = replace(made[0], source=path, **splits)  # type: ignore[arg-type]
    data = data if len(made) == 1 else _join(data, made)
    return replace(data, remarks=(*data.remarks, *(f"{UNREAD}{name}" for name in unread)))


def _list_unread(parts: Sequence[SplitPart], path: Path) -> list[str]:
    """Folders, or else files, that are called as a split that no part is of."""
    splits = {canonical_split(part.own) for part in parts}
    if parts[0].folder:
        folders = (item for item in list_entries(path) if is_folder(item))
        named = {item.name: item.name for item in folders if any(list_entries(item))}
    else:
        found = _files_by_split(path).items()
        named = {own: files[0].relative_to(path).as_posix() for own, files in found}
    return sorted(
        place
        for own, place in named.items()
        if canonical_split(own) in USUAL and canonical_split(own) not in splits
    )


def _read_part(part: SplitPart, split: str, read: ReadPart, images: Path | None) -> AnnotationSet:
    folder = _find_images(part, images)
    data = read(part.path, folder)
    below = part.own if images is None and part.folder else ""
    if images is not None and folder is not None and folder != images:
        below = folder.relative_to(images).as_posix()

    def rename(image: AnnotatedImage) -> AnnotatedImage:
        name = f"{below}/{image.file_name}" if below else image.file_name
        return replace(image, id=f"{part.own}/{image.id}", file_name=name, split=split)

    columns = ColumnarImages.of(data.images, data.categories)
    bare = [rename(image) for image in columns.bare]
    return replace(data, images=ColumnarImages(bare, columns.starts, columns.objects))


def _find_images(part: SplitPart, images: Path | None) -> Path | None:
    """The folder below `images` that is called as the split, or one of images in it; else all."""
    if images is None:
        return None
    fitting = [images / part.own]
    if not is_folder(fitting[0]):
        meant = canonical_split(part.own)
        folders = (item for item in list_entries(images) if canonical_split(item.name) == meant)
        fitting = list(filter(is_folder, folders))
    if len(fitting) != 1:
        return images
    within = (fitting[0] / name for name in IMAGE_FOLDERS)
    return next(filter(_has_images, (fitting[0], *within)), fitting[0])


def _has_images(folder: Path) -> bool:
    return any(item.suffix.lower() in IMAGE_SUFFIXES for item in list_entries(folder))


def _join(data: AnnotationSet, made: Sequence[AnnotationSet]) -> AnnotationSet:
    """`data` with the images, categories, drops and remarks of all that were made."""
    categories = dict.fromkeys(name for each in made for name in each.categories)
    drops = Drops()
    for each in made:
        drops.update(each.drops)
        drops.examples = {**examples_of(each.drops), **drops.examples}
    remarks = dict.fromkeys(
        text for each in made for text in each.remarks if not text.startswith(UNBOXED)
    )
    joined = replace(
        data,
        images=ColumnarImages.join([ColumnarImages.of(each.images, ()) for each in made]),
        categories=tuple(categories),
        drops=drops,
        unboxed=None,
        remarks=tuple(remarks),
    )
    return tell_unboxed(joined)


def _files(folder: Path) -> list[Path]:
    """That may be the annotations of a whole split."""
    named = (item for item in list_entries(folder) if item.suffix.lower() in ENDINGS)
    files = sorted(filter(is_file, named))
    return files if len(files) <= MOST else []


def _files_by_split(path: Path) -> Mapping[str, list[Path]]:
    """Files in the folder, or in ``annotations`` in it, by the split in their names."""
    for folder in (path, path / "annotations"):
        found: dict[str, list[Path]] = {}
        for file in _files(folder):
            if own := split_in_name(file.name.split(".")[0]):
                found.setdefault(own, []).append(file)
        if found:
            return found
    return {}


def split_in_name(name: str) -> str:
    """The one word of a name that means train, val or test, as it stands; empty: none, or several.

    >>> split_in_name("instances_train2017"), split_in_name("shop-valid"), split_in_name("latest")
    ('train2017', 'valid', '')
    """
    words = [word for word in re.split(r"[\W_]+", name) if canonical_split(word) in USUAL]
    return words[0] if len(words) == 1 else ""


def _only(path: Path, own: str, files: Sequence[Path]) -> Path:
    """The one of several files that has the boxes."""
    preferred = [file for file in files if file.name.startswith(PREFERRED)]
    chosen = preferred if len(preferred) == 1 else files
    if len(chosen) > 1:
        names = ", ".join(file.relative_to(path).as_posix() for file in chosen[:3])
        raise InputError(
            f"{path}: several files may be its split {own} ({names}); give one of them"
        )
    return chosen[0]
