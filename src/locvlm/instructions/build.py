"""From annotated pictures to an instruction data set."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import track

from locvlm import annotations as readers
from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.pictures import SUFFIXES
from locvlm.errors import InputError
from locvlm.instructions import objectives as known
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.dataset import Manifest, check_out, write_dataset
from locvlm.instructions.objectives import Places

PAPER = ("locpred", "negpred", "revloc")


@dataclass(frozen=True)
class Built:
    """What was made, and what was left out."""

    conversations: list[Conversation]  # one per picture, in the order of the annotations
    counts: Counter[str]  # objective -> instructions, 0 where it gave none
    drops: Counter[str]  # reason -> how many; the reader's drops included


def build(
    annotations: AnnotationSet,
    objectives: Sequence[str] = PAPER,
    *,
    location: Places = "box",
    seed: int = 0,
    min_area: float = 0.0,
) -> Built:
    """All instructions of all pictures.

    What is asked about a picture depends on `seed`, its id and the objective alone: neither other
    pictures nor other objectives change it. Pictures that give no instruction are left out.

    Args:
        annotations: boxes in original pixels.
        objectives: names (see `locvlm.instructions.objectives.names`).
        location: say where by boxes, by their centers, or by either, drawn for each instruction.
        seed: of all that is drawn.
        min_area: share (0 … 1) of the picture's area; nothing is asked about smaller objects, but
            they count as present.

    Raises:
        InputError: an unknown or repeated objective, captions asked for and none there, a category
            with braces in its name, or a `min_area` out of range.
    """
    _check(annotations, objectives, min_area)
    conversations = []
    counts = Counter(dict.fromkeys(objectives, 0))
    drops = Counter(annotations.drops)
    shown = track(annotations.images, "Building", transient=True, console=Console(stderr=True))
    for image in shown:
        image, small = _leave_out_small(image, min_area)
        made = _instructions(image, annotations.categories, objectives, location, seed)
        counts.update(item.objective for item in made)
        drops["objects smaller than min_area, not asked about"] += small
        drops["pictures without instructions"] += not made
        if made:
            size = (image.width, image.height)
            source = annotations.source.name
            conversations.append(Conversation(image.file_name, *size, tuple(made), source))
    return Built(conversations, counts, +drops)


def build_from_files(
    annotations: Path,
    images: Path,
    out: Path,
    *,
    reader: str = "coco",
    captions: Path | None = None,
    objectives: Sequence[str] = PAPER,
    location: Places = "box",
    seed: int = 0,
    min_area: float = 0.0,
) -> Manifest:
    """Read a detection file, build its instructions and write them into the folder `out`.

    Args:
        annotations: detection file, or folder of them, in the form that `reader` names.
        images: folder of the pictures; missing ones are left out and counted.
        out: new or empty folder, or one that holds an older data set, which is replaced.
        reader: form of the annotations (see `locvlm.annotations.names`).
        captions: COCO captions of the same pictures, for the objective caption.
        objectives: see `build`, as are `location`, `seed` and `min_area`.

    Returns:
        The manifest, as it was written.

    Raises:
        InputError: something in the files or arguments cannot be used, `out` holds something
            else, or no instruction came out.
    """
    check_out(out)
    options = {"captions": captions} if captions else {}
    data = readers.read(reader, annotations, images=images, **options)
    built = build(data, objectives, location=location, seed=seed, min_area=min_area)
    if not built.conversations:
        raise InputError(
            f"{annotations}: gives no instruction for {', '.join(objectives)}; "
            "use annotations with objects or other objectives"
        )
    manifest = Manifest(
        annotations=str(annotations.resolve()),
        annotations_sha256=_digest(annotations),
        captions=str(captions.resolve()) if captions else "",
        captions_sha256=_digest(captions) if captions else "",
        images=str(images.resolve()),
        reader=reader,
        categories=data.categories,
        objectives=tuple(objectives),
        location=location,
        seed=seed,
        min_area=min_area,
        pictures=len(built.conversations),
        counts=dict(built.counts),
        drops=dict(built.drops),
    )
    return write_dataset(out, built.conversations, manifest=manifest)


def _check(annotations: AnnotationSet, objectives: Sequence[str], min_area: float) -> None:
    source = annotations.source
    for name in objectives:
        known.get(name)
    if not objectives or len(set(objectives)) < len(objectives):
        raise InputError(
            f"objectives {','.join(objectives)!r}: name at least one, none of them twice; "
            f"known: {', '.join(known.names())}"
        )
    if not 0 <= min_area < 1:
        raise InputError(f"min_area is a share of the picture from 0 to below 1, not {min_area}")
    if "caption" in objectives and not any(image.captions for image in annotations.images):
        raise InputError(f"{source}: has no captions for the objective caption; give their file")
    for name in annotations.categories:
        if "{" in name or "}" in name:  # a template could take them for a place to fill
            raise InputError(f"{source}: rename the category {name!r}, without braces")


def _instructions(
    image: AnnotatedImage,
    categories: Sequence[str],
    objectives: Sequence[str],
    location: Places,
    seed: int,
) -> list[Instruction]:
    made: list[Instruction] = []
    for name in objectives:
        rng = random.Random(f"{seed}/{image.id}/{name}")
        made += known.get(name)(image, categories, rng, location)
    return made


def _leave_out_small(image: AnnotatedImage, min_area: float) -> tuple[AnnotatedImage, int]:
    """Small objects marked as crowds, which are present but never asked about; how many."""
    least = min_area * image.width * image.height
    small = [not item.crowd and item.box.area < least for item in image.objects]
    marked = (
        replace(item, crowd=item.crowd or tiny)
        for item, tiny in zip(image.objects, small, strict=True)
    )
    return (replace(image, objects=tuple(marked)), sum(small)) if any(small) else (image, 0)


def _digest(path: Path) -> str:
    """SHA-256 of a file; of a folder, that of the names and contents of its annotation files."""
    if not path.is_dir():
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() not in SUFFIXES and file.is_file():
            digest.update(f"{file.relative_to(path).as_posix()} {_digest(file)}\n".encode())
    return digest.hexdigest()
