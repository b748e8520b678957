"""An instruction data set on disk: a folder with Parquet files and ``manifest.json``.

``instructions.parquet``: one row is one conversation, its instructions nested, locations as numbers
in original pixels:

    image, width, height, source, instructions: [{objective, question, answer, kind,
    locations: [[x1, y1, x2, y2] or [x, y], …], evidence: likewise}, …]

``objects.parquet``: the annotated pictures (see `locvlm.annotations.built`); none where it was read
from texts.
Nothing else is needed to train but the pictures, whose names are relative to their folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from locvlm.annotations import built
from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.built import ObjectsManifest, check_digest, decode_objects, is_built
from locvlm.annotations.splits import ALL, choose_split, count_splits, select_split
from locvlm.errors import InputError
from locvlm.instructions.absence_range import ABSENCES, AbsenceRange
from locvlm.instructions.asked import Asked
from locvlm.instructions.base import Conversation
from locvlm.instructions.image_samples import ImageSample, check_images
from locvlm.io import outputs
from locvlm.io.outputs import Reads
from locvlm.io.own_files import decode_own
from locvlm.io.reading import is_folder

PART = ".part"
DATA, OBJECTS, MANIFEST = built.DATA, built.OBJECTS, built.MANIFEST
BLURRED_IMAGES, FACES_LOG = (
    "images",
    "faces.jsonl",
)  # pictures with blurred faces, and what was blurred
VERSION = 1
_ROWS = 1024  # that are read at once


class Manifest(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="locvlm-data"):
    """What a data set was made from, how, and what is in it."""

    version: int = VERSION  # of this form of data set
    annotations: str  # detection file, or file of texts, absolute path
    annotations_sha256: str
    captions: str = ""  # captions file, absolute path; empty: none
    captions_sha256: str = ""
    images: str  # folder of the pictures, absolute path
    images_relative: str = ""  # the same as seen from the data set, for one moved with its pictures
    image_samples: dict[str, ImageSample] = {}  # name -> its file, of some that are drawn
    reader: str = "coco"
    options: dict[str, str] = {}  # of the reader: the split that was read, further files
    options_sha256: dict[str, str] = {}  # of those files
    splits: tuple[str, ...] = ()  # that the annotations have
    split: str = ""  # that the questions are about, or "all"; empty: the annotations have none
    split_images: dict[str, int] = {}  # images of each split, with and without questions
    split_drops: dict[str, dict[str, int]] = {}  # of the other splits: as `drops`
    hold_out: float | None = None  # share of the pictures that was to be held out as val
    group_by: str | None = None  # pattern of the names of recordings; None: guessed
    leaky: str = "keep"  # pictures that are in two splits: "keep", "drop" or "skip"
    leaks: dict[str, int] | None = None  # split -> such pictures; None: nobody has looked
    pseudo: dict[str, Any] = {}  # how a model made the annotations; empty: people did
    coordinates: dict[str, Any] = {}  # of the texts it was read from: {"format", "options"}
    categories: tuple[str, ...]  # all that the detection file annotates
    # Names there -> the words for them in `categories` and questions, then synonyms; {}: the same
    names: dict[str, tuple[str, ...]] = {}
    objectives: tuple[str, ...]
    location: str = "box"  # "box", "point" or "both"
    seed: int = 0
    negatives: str = "random"  # which absent categories: "random", "popular" or "adversarial"
    min_area: float = 0.0  # share of the picture's area below which nothing is asked
    max_area: float = 1.0  # and above which
    edge: float | None = None  # pixels; boxes this near to the border are not asked about
    spatial: tuple[str, ...] = ("left-right", "above-below")
    absences: AbsenceRange = ABSENCES  # the least and the most that negpred asks about in a picture
    per_category: int | None = None  # at most so many questions per category and objective
    ask_unboxed: bool = False  # whether categories without any box are asked about as absent
    described_only: bool = False  # whether locpred and revloc leave out undescribed objects
    unboxed: tuple[str, ...] = ()  # those categories; nobody may have looked for them
    dummies: tuple[str, ...] = ()  # and those that are never asked about, such as a background
    templates: str = ""  # file of templates, absolute path; empty: the objectives' own
    templates_sha256: str = ""
    template_texts: dict[str, dict[str, tuple[str, ...]]] = {}  # of that file: objective, part
    mix: str = ""  # file of other instruction data that is mixed in, absolute path; empty: none
    mix_sha256: str = ""
    mix_ratio: float = 0.0  # share of the conversations that was to come from it
    faces_blurred: int | None = None  # in the pictures, which are copies then; None: not looked for
    pictures_with_faces: int | None = None
    clip_faces_blurred: int | None = None  # in clips, counted in each frame; None: there are none
    clips_with_faces: int | None = None
    pictures: int  # with at least one instruction: the rows
    counts: dict[str, int]  # objective -> instructions
    asked: dict[str, Asked] = {}  # objective -> what it asked and left out; {}: not counted
    drops: dict[str, int]  # reason -> how many were left out or changed
    examples: dict[str, str] = {}  # reason -> file and place of the first
    remarks: tuple[str, ...] = ()  # what is odd about the annotations
    unusable_images: dict[str, str] = {}  # file names -> reasons, of those that a check left out
    data_sha256: str = ""  # of the Parquet file
    objects_sha256: str = ""  # of that of the annotated pictures; empty: there is none

    @property
    def of_objects(self) -> ObjectsManifest:
        """The part that says what the annotated pictures are."""
        fields = ObjectsManifest.__struct_fields__
        return ObjectsManifest(**{name: getattr(self, name) for name in fields})


def check_output_folder(folder: Path, reads: Reads | None = None) -> None:
    """Raise InputError unless a data set may be written there.

    Args:
        folder: new or empty, or with a data set, which is replaced.
        reads: what it is made of.
    """
    leftovers = {f"{name}{PART}" for name in (DATA, OBJECTS, MANIFEST)}  # of older versions
    if (folder / FACES_LOG).is_file():  # copies of pictures that a stopped build goes on with
        leftovers |= {FACES_LOG, BLURRED_IMAGES}
    outputs.check_output_folder(
        folder, reads or Reads(), is_own=_holds_dataset, leftovers=leftovers
    )


def _holds_dataset(folder: Path) -> bool:
    try:
        read_manifest(folder)
    except InputError:
        raise InputError(
            f"{folder}: holds something else than a data set; give a new or empty folder"
        ) from None
    return True


def read_manifest(folder: Path) -> Manifest:
    """Raises InputError where there is no data set, or one of another version."""
    path = folder / MANIFEST
    try:
        data = path.read_bytes()
    except (OSError, ValueError):  # ValueError: a name with a zero byte
        raise InputError(
            f"{folder}: no data set here ({MANIFEST} cannot be read); make one with locvlm build"
        ) from None
    manifest = decode_own(data, Manifest, str(path), "a manifest of locvlm build")
    if manifest.version != VERSION:
        raise InputError(
            f"{path}: has version {manifest.version}, this LocVLM reads {VERSION}; build it again"
        )
    return manifest


def images_folder(folder: Path, given: Path | None = None) -> Path:
    """Where the pictures of the data set in `folder` are.

    A data set may have been moved, alone or with its pictures: they are where they were, or else
    where they were as seen from it. Those inside its own folder go where it goes. In any other
    place than that of its build some are compared with what they were.

    Args:
        folder: of the data set.
        given: where its pictures are now; None: where it says.

    Raises:
        InputError: it does not say (one that was built by ``--no-images`` alone does not), or they
            are other pictures.
    """
    manifest = read_manifest(folder)
    if given is not None and not is_folder(given):
        raise InputError(f"{given}: no such folder of pictures; give --images DIR, where they are")
    images = given if given is not None else _recorded_images(folder, manifest)
    if not manifest.images or images.resolve() != Path(manifest.images).resolve():
        check_images(images, manifest.image_samples, folder)
    return images.absolute()


def find_images_folder(folder: Path, given: Path | None = None) -> Path:
    """`images_folder`, for reading them. Raises InputError, too, where there is no such folder."""
    images = images_folder(folder, given)
    if not is_folder(images):
        raise InputError(
            f"{folder}: its pictures were in {images}, and there is no such folder now; give "
            "--images DIR (of a recipe images), where they are"
        )
    return images


def _recorded_images(folder: Path, manifest: Manifest) -> Path:
    """Where the manifest of `folder` says that they are. Raises InputError where it does not."""
    if not manifest.images:
        raise InputError(
            f"{folder}: was built without a folder of pictures; give --images DIR (of a recipe "
            "images), or build it again with --images (--no-images may stay)"
        )
    there, beside = Path(manifest.images), manifest.images_relative
    if not beside:  # of an older version
        return there
    moved = (folder.resolve() / beside).resolve()
    inside = not beside.startswith("..")
    return moved if inside or (not is_folder(there) and is_folder(moved)) else there


def find_default_images(annotations: Path, given: Path | None = None) -> Path | None:
    """The folder of the pictures where `annotations` say it: a built data set does.

    Args:
        annotations: of any form.
        given: where they are now, which is checked where a built data set knows; None: as it says.

    Raises InputError as `find_images_folder`.
    """
    return find_images_folder(annotations, given) if is_built(annotations) else given


def path_from(folder: Path, images: Path | None) -> str:
    """The folder of the pictures as seen from that of the data set; empty where there is none."""
    if images is None:
        return ""
    try:
        return Path(os.path.relpath(images.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return ""


def read_dataset(folder: Path) -> list[Conversation]:
    """The conversations as they were written. Raises InputError as `stream_dataset`."""
    return list(stream_dataset(folder))


def stream_dataset(folder: Path) -> Iterator[Conversation]:
    """The conversations as they were written, one after the other.

    Raises:
        InputError: there is no data set, or its data do not belong to its manifest.
    """
    import pyarrow.parquet as pq

    from locvlm.instructions.arrow import decode_conversations

    path = folder / DATA
    check_digest(path, read_manifest(folder).data_sha256)
    # without threads: Arrow's own may outlive a command that ends at once, and abort it
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for rows in file.iter_batches(_ROWS, use_threads=False):
            yield from decode_conversations(rows)


def stream_objectives(folder: Path) -> Iterator[frozenset[str]]:
    """What each conversation asks about, as `stream_dataset` has them; nothing else is read.

    Raises:
        InputError: as `stream_dataset`.
    """
    import pyarrow.parquet as pq

    path = folder / DATA
    check_digest(path, read_manifest(folder).data_sha256)
    with pq.ParquetFile(path, pre_buffer=False) as file:
        leaves = [file.schema.column(place).path for place in range(len(file.schema))]
        column = [leaf for leaf in leaves if leaf.endswith(".objective")]
        for rows in file.iter_batches(_ROWS, columns=column, use_threads=False):
            for items in rows.column("instructions").to_pylist():
                yield frozenset(item["objective"] for item in items)


def read_objects(folder: Path, split: str | None = None) -> AnnotationSet:
    """The annotated pictures of a data set, as they were when it was built.

    Their ids are texts. There are none where it was read from texts, or built by a version that
    kept none.

    Args:
        folder: of the data set.
        split: such as train or val; None or "all": every one, also those without a question.

    Raises:
        InputError: there is no data set, its data do not belong to its manifest, or it has no such
            split.
    """
    manifest = read_manifest(folder)
    images: Sequence[AnnotatedImage] = ()
    if manifest.objects_sha256:
        images = decode_objects(folder, manifest.of_objects)
    known = tuple(count_splits(images))
    chosen = choose_split(split or ALL, known, folder)
    data = AnnotationSet(
        images,
        manifest.categories,
        Path(manifest.annotations),
        splits=known,
        options={"split": chosen},
        unboxed=manifest.unboxed,
        dummies=manifest.dummies,
    )
    return select_split(data, chosen)


def read_asked_objects(folder: Path) -> AnnotationSet:
    """As `read_objects`, of the split that the data set's questions are about.

    What is learned comes from these images alone; those of other splits are for validation.
    """
    return read_objects(folder, read_manifest(folder).split)
