"""Data sets that ``locvlm build`` wrote: their annotated images, of all splits.

    manifest.json         categories, what was looked for
    objects.parquet       images with their objects (see `locvlm.annotations.object_rows`)

What is asked about them (``instructions.parquet``) is not read here. Boxes are original pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.columns import ColumnarImages
from locvlm.annotations.drops import Drops
from locvlm.annotations.splits import ALL, choose_split, count_splits, select_split
from locvlm.errors import InputError
from locvlm.io.digests import digest_file
from locvlm.io.own_files import decode_own
from locvlm.io.reading import is_file
from locvlm.media.image_files import check_name, find_images

DATA, OBJECTS, MANIFEST = "instructions.parquet", "objects.parquet", "manifest.json"


class ObjectsManifest(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="locvlm-data"
):
    """What of a data set's manifest says what its images are."""

    annotations: str  # that it was made of, absolute path
    categories: tuple[str, ...]
    objects_sha256: str = ""  # of the file of the images; empty: there is none
    options: dict[str, str] = {}  # of the reader
    unboxed: tuple[str, ...] = ()
    dummies: tuple[str, ...] = ()
    pseudo: dict[str, Any] = {}
    names: dict[str, tuple[str, ...]] = {}  # see `AnnotationSet.names`


def is_built(path: Path) -> bool:
    """Whether `path` is the folder of a data set that was built, or imported."""
    return is_file(path / MANIFEST) and is_file(path / DATA)


def read_built(
    path: str | Path, *, images: str | Path | None = None, split: str | None = None
) -> AnnotationSet:
    """The images of a split of a built data set, each with all that its annotations say.

    Their ids are texts, and what is absent was settled when it was built. Left out and counted in
    ``drops``: images whose file is missing, and those that were in an earlier split.

    Args:
        path: the folder.
        images: that of the images; None: do not look whether they are there.
        split: such as val, or all of them; None: train, or the only one there is.

    Raises:
        InputError: there is no data set, its files do not belong together, it holds texts alone, or
            has no such split, or `images` has none of the images.
    """
    path = Path(path)
    manifest = _read_manifest(path)
    if not manifest.objects_sha256:
        raise InputError(
            f"{path}: has no {OBJECTS}, for it was read from texts or built by an older LocVLM; "
            "give the annotations"
        )
    every = decode_objects(path, manifest)
    known = tuple(count_splits(every))
    chosen = choose_split(split, known, path)
    drops = Drops()
    boxed = {every.objects.names[code] for code in np.unique(every.objects.categories)}
    data = AnnotationSet(
        every,
        categories=every.objects.names,
        source=path,
        drops=drops,
        splits=known,
        options={"split": chosen},
        pseudo=manifest.pseudo,
        unboxed=tuple(name for name in manifest.unboxed if name not in boxed),
        dummies=manifest.dummies,
        names=manifest.names,
    )
    data = select_split(data, chosen)
    folder = Path(images) if images is not None else None
    kept = _keep_found(ColumnarImages.of(data.images, ()), folder, path, drops)
    return replace(data, images=kept, drops=+drops)


def decode_objects(folder: Path, manifest: ObjectsManifest) -> ColumnarImages:
    """The images of a data set's `OBJECTS`; those of older versions are all of the split read.

    Raises InputError where the file is not the one that `manifest` was written for.
    """
    import pyarrow.parquet as pq

    from locvlm.annotations.object_rows import decode_images

    path = folder / OBJECTS
    check_digest(path, manifest.objects_sha256)
    read = manifest.options.get("split", ALL)
    # without threads: Arrow's own may outlive a command that ends at once, and abort it
    with pq.ParquetFile(path, pre_buffer=False) as file:
        table = file.read(use_threads=False)
    return decode_images(table, manifest.categories, "" if read == ALL else read)


def check_digest(path: Path, expected: str) -> None:
    """Raises InputError unless the file is the one that the manifest beside it was written for."""
    try:
        digest = digest_file(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); build the data set again"
        ) from None
    if digest != expected:
        raise InputError(
            f"{path}: is not the file that {MANIFEST} was written for; build the data set again"
        )


def _read_manifest(folder: Path) -> ObjectsManifest:
    path = folder / MANIFEST
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{folder}: no data set of locvlm build ({MANIFEST}: {error.strerror}); give its folder"
        ) from None
    return decode_own(data, ObjectsManifest, str(path), "a manifest of locvlm build")


def _keep_found(
    images: ColumnarImages, folder: Path | None, source: Path, drops: Drops
) -> ColumnarImages:
    """The images that are in the folder, each once, under the names that they have there."""
    names: dict[str, int] = {}
    for place, image in enumerate(images.bare):
        if names.setdefault(image.file_name, place) != place:
            drops.note("pictures that another split has, too", image.file_name)
    asked = {
        place: (check_name(name, f"{source}: image {place}"),) for name, place in names.items()
    }
    found = find_images(asked, folder, source, drops)
    mask = np.array([place in found for place in range(len(images))], np.bool_)
    kept = images if mask.all() else images.keep(mask)
    return ColumnarImages(_rename(kept.bare, [*found.values()]), kept.starts, kept.objects)


def _rename(images: Sequence[AnnotatedImage], names: Sequence[str]) -> list[AnnotatedImage]:
    return [
        image if image.file_name == name else replace(image, file_name=name)
        for image, name in zip(images, names, strict=True)
    ]
