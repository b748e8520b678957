"""From annotated pictures to an instruction data set."""

from __future__ import annotations

import gc
import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.progress import track

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.coco import read_coco
from locvlm.errors import InputError
from locvlm.instructions import objectives as known
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.dataset import DatasetWriter, Manifest
from locvlm.instructions.engines import Engine, ordered
from locvlm.instructions.filters import usable_descriptions
from locvlm.instructions.negatives import Choice, negatives
from locvlm.instructions.objectives import Asking, Places

if TYPE_CHECKING:
    import pyarrow as pa

READERS = {"coco": read_coco}
PAPER = ("locpred", "negpred", "revloc")
AT_ONCE = 2000  # pictures per batch


@dataclass(frozen=True)
class Settings:
    """What is asked about pictures, and how. The same settings give the same questions."""

    objectives: tuple[str, ...] = PAPER  # names (see `locvlm.instructions.objectives.names`)
    location: Places = "box"  # say where by boxes, by centers, or by either, drawn each time
    seed: int = 0  # of all that is drawn
    negatives: Choice = "random"  # which absent categories are asked about
    # Share (0 … 1) of the picture's area; nothing is asked about smaller objects, but they count
    # as present.
    min_area: float = 0.0


@dataclass(frozen=True)
class Built:
    """What was made, and what was left out."""

    conversations: list[Conversation]  # one per picture, in the order of the annotations
    counts: Counter[str]  # objective -> instructions, 0 where it gave none
    drops: Counter[str]  # reason -> how many; the reader's drops included


@dataclass(frozen=True)
class _Batch:
    """Some pictures, with what it takes to ask about them: the unit of work of an engine."""

    images: Sequence[AnnotatedImage]
    asking: Asking
    source: str
    settings: Settings


def build(annotations: AnnotationSet, objectives: Sequence[str] = PAPER, **options: Any) -> Built:
    """All instructions of all pictures, in memory.

    What is asked about a picture depends on the seed, its id and the objective alone: neither other
    pictures nor other objectives change it. Pictures that give no instruction are left out.

    Args:
        annotations: boxes in original pixels.
        objectives: names of objectives.
        options: the other fields of `Settings`.

    Raises:
        InputError: an unknown or repeated objective, captions asked for and none there, a category
            with braces in its name, or a `min_area` out of range.
    """
    settings = Settings(tuple(objectives), **options)
    _check(annotations, settings)
    asking = _asking(annotations, settings)
    built = _make(_Batch(annotations.images, asking, annotations.source.name, settings))
    return replace(built, drops=built.drops + annotations.drops)


def build_from_files(
    annotations: Path,
    images: Path | None,
    out: Path,
    *,
    reader: Literal["coco"] = "coco",
    captions: Path | None = None,
    look: bool = True,
    engine: Engine = "local",
    workers: int = 1,
    **settings: Any,
) -> Manifest:
    """Read a detection file, build its instructions and write them into the folder `out`.

    They go to disk as they are made, so that memory holds the annotations alone. Engine and
    workers change nothing about the result.

    Args:
        annotations: detection file in the form that `reader` names.
        images: folder of the pictures; None: not known yet.
        out: new or empty folder, or one that holds an older data set, which is replaced.
        reader: form of the detection file.
        captions: COCO captions of the same pictures, for the objective caption.
        look: leave pictures out that are not in `images`, and count them.
        engine: where the work is done (see `engines`).
        workers: how many do it.
        settings: the fields of `Settings`.

    Returns:
        The manifest, as it was written.

    Raises:
        InputError: something in the files or arguments cannot be used, `out` holds something
            else, or no instruction came out.
    """
    if look and images is None:
        raise InputError("the folder of the pictures is not given; give --images or --no-images")
    writer = DatasetWriter(out)
    chosen = Settings(**settings)
    data = READERS[reader](annotations, images=images if look else None, captions=captions)
    _check(data, chosen)
    counts, drops = Counter(dict.fromkeys(chosen.objectives, 0)), Counter(data.drops)
    pictures = 0
    gc.freeze()  # the annotations are many objects and no garbage: no collection need walk them
    try:
        for part in ordered(_make_rows, _batches(data, chosen), engine=engine, workers=workers):
            writer.write(part.rows)
            pictures += part.rows.num_rows
            counts.update(part.counts)
            drops.update(part.drops)
        if not pictures:
            raise InputError(
                f"{annotations}: gives no instruction for {', '.join(chosen.objectives)}; "
                "use annotations with objects or other objectives"
            )
    except BaseException:
        writer.discard()
        raise
    finally:
        gc.unfreeze()
    return writer.close(
        Manifest(
            annotations=str(annotations.resolve()),
            annotations_sha256=_digest(annotations),
            captions=str(captions.resolve()) if captions else "",
            captions_sha256=_digest(captions) if captions else "",
            images=str(images.resolve()) if images else "",
            reader=reader,
            categories=data.categories,
            objectives=chosen.objectives,
            location=chosen.location,
            seed=chosen.seed,
            negatives=chosen.negatives,
            min_area=chosen.min_area,
            pictures=pictures,
            counts=dict(counts),
            drops=dict(+drops),
        )
    )


@dataclass(frozen=True)
class _Rows:
    """What came of a batch, ready to be written."""

    rows: pa.RecordBatch
    counts: Counter[str]
    drops: Counter[str]


def _batches(data: AnnotationSet, settings: Settings) -> Iterator[_Batch]:
    asking = _asking(data, settings)
    starts = range(0, len(data.images), AT_ONCE)
    for start in track(starts, "Building", transient=True, console=Console(stderr=True)):
        images = data.images[start : start + AT_ONCE]
        yield _Batch(images, asking, data.source.name, settings)


def _asking(data: AnnotationSet, settings: Settings) -> Asking:
    return Asking(data.categories, settings.location, negatives(data, settings.negatives))


def _make_rows(batch: _Batch) -> _Rows:
    from locvlm.instructions.columns import record_batch

    built = _make(batch)
    return _Rows(record_batch(built.conversations), built.counts, built.drops)


def _make(batch: _Batch) -> Built:
    settings = batch.settings
    conversations = []
    counts = Counter(dict.fromkeys(settings.objectives, 0))
    drops: Counter[str] = Counter()
    for image in batch.images:
        image = usable_descriptions(image, drops)
        image, small = _leave_out_small(image, settings.min_area)
        made = _instructions(image, batch.asking, settings)
        counts.update(item.objective for item in made)
        drops["objects smaller than min_area, not asked about"] += small
        drops["pictures without instructions"] += not made
        if made:
            size = (image.width, image.height)
            conversations.append(Conversation(image.file_name, *size, tuple(made), batch.source))
    return Built(conversations, counts, +drops)


def _check(annotations: AnnotationSet, settings: Settings) -> None:
    source, objectives, min_area = annotations.source, settings.objectives, settings.min_area
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


def _instructions(image: AnnotatedImage, asking: Asking, settings: Settings) -> list[Instruction]:
    made: list[Instruction] = []
    for name in settings.objectives:
        rng = random.Random(f"{settings.seed}/{image.id}/{name}")
        made += known.get(name)(image, asking, rng)
    return made


def _leave_out_small(image: AnnotatedImage, min_area: float) -> tuple[AnnotatedImage, int]:
    """Small objects marked as crowds, which are present but never asked about; how many."""
    if not min_area:
        return image, 0
    least = min_area * image.width * image.height
    small = [not item.crowd and item.box.area < least for item in image.objects]
    marked = (
        replace(item, crowd=item.crowd or tiny)
        for item, tiny in zip(image.objects, small, strict=True)
    )
    return (replace(image, objects=tuple(marked)), sum(small)) if any(small) else (image, 0)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
