"""Whole builds: from detection files to an instruction data set on disk."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locvlm import annotations as readers
from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.errors import InputError
from locvlm.instructions import faces
from locvlm.instructions.build import (
    QuestionOptions,
    QuestionPlan,
    build_batch,
    check_options,
    lowest_ranks,
    make_plan,
    settled,
)
from locvlm.instructions.dataset import BLURRED_IMAGES, DatasetWriter, Manifest
from locvlm.instructions.face_detector import check_opencv
from locvlm.instructions.mixing import count_to_mix, read_mixed
from locvlm.instructions.quota import compute_quota
from locvlm.instructions.templates import Templates, read_templates
from locvlm.io.digests import digest_file
from locvlm.io.reading import files_below, is_file
from locvlm.media.image_files import SUFFIXES
from locvlm.parallel.engines import Engine, ordered
from locvlm.progress import track
from locvlm.runtime.garbage_collection import uncollected

if TYPE_CHECKING:
    import pyarrow as pa

MIX_RATIO = 0.3  # share of other conversations where they are mixed in
AT_ONCE = 2000  # pictures per batch
OF_CLIPS = ("pseudo animate", "pseudo video")  # pseudo-data whose pictures are clips


def build_from_files(
    annotations: Path,
    images: Path | None,
    out: Path,
    *,
    reader: str = "coco",
    captions: Path | None = None,
    split: str | None = None,
    classes: Path | None = None,
    image_labels: Path | None = None,
    look: bool = True,
    templates: Path | None = None,
    mix: Path | None = None,
    mix_ratio: float | None = None,
    blur_faces: bool = False,
    engine: Engine = "local",
    workers: int = 1,
    **settings: Any,
) -> Manifest:
    """Read a detection file, build its instructions and write them into the folder `out`.

    They go to disk as they are made, so that memory holds the annotations alone. Engine and
    workers change nothing about the result.

    Args:
        annotations: detection file, or folder of them, in the form that `reader` names.
        images: folder of the pictures; None: not known yet.
        out: new or empty folder, or one that holds an older data set, which is replaced.
        reader: form of the annotations (see `locvlm.annotations.names`).
        captions: COCO captions of the same pictures, for the objective caption.
        split: such as train, or all of them, where the form has splits; None: train, or the only
            one there is.
        classes: file of Open Images' class names; None: the one beside `annotations`.
        image_labels: file of Open Images' image labels, likewise.
        templates: YAML file of templates (see `templates`).
        mix: other instruction data (see `mixing`), which are appended.
        mix_ratio: their share of all conversations, above 0 and below 1; None: `MIX_RATIO`.
        blur_faces: copy the pictures to `out`, with blurred faces (see `pseudo.faces`).
        look: leave pictures out that are not in `images`, and count them.
        engine: where the work is done (see `engines`).
        workers: how many do it.
        settings: the fields of `Settings`, and those of `Limits`.

    Returns:
        The manifest, as it was written.

    Raises:
        InputError: something in the files or arguments cannot be used, `out` holds something
            else, or no instruction came out.
    """
    _check_images_folder(images, look, blur_faces)
    ratio = _check_mix_ratio(mix, mix_ratio)
    sink = _RowSink(DatasetWriter(out))
    chosen = settled(templates=read_templates(templates) if templates else Templates(), **settings)
    if captions and "caption" not in chosen.objectives:
        raise InputError(
            f"{captions}: captions are used by the objective caption alone; name it too"
        )
    given = {
        "captions": captions,
        "split": split,
        "classes": classes,
        "image_labels": image_labels,
    }
    options = {name: value for name, value in given.items() if value is not None}
    with uncollected():
        data = readers.read(reader, annotations, images=images if look else None, **options)
    check_options(data, chosen)
    if blur_faces and data.pseudo.get("by") in OF_CLIPS:
        raise InputError(f"{annotations}: has clips; faces can be blurred in pictures alone")
    sink.counts.update(dict.fromkeys(chosen.objectives, 0))
    sink.drops.update(data.drops)
    blurred: tuple[int | None, int | None] = (None, None)
    try:
        with uncollected():
            for part in _build_rows(data, chosen, engine, workers):
                sink.add(part)
        if not sink.pictures:
            raise InputError(
                f"{annotations}: gives no instruction for {', '.join(chosen.objectives)}; "
                "use annotations with objects or other objectives"
            )
        if mix is not None:
            count = count_to_mix(len(sink.pictures), ratio)
            sink.add(_mixed_rows(mix, count, data, images, chosen.seed))
        if blur_faces and images is not None:
            blurred = faces.blur_faces(sink.pictures, images, out / BLURRED_IMAGES, workers=workers)
            images = out / BLURRED_IMAGES
        return sink.writer.close(
            _make_manifest(
                sink,
                data,
                chosen,
                **_file_fields(
                    annotations=annotations, captions=captions, templates=templates, mix=mix
                ),
                images=_absolute(images),
                reader=reader,
                mix_ratio=ratio,
                pictures_with_faces=blurred[0],
                faces_blurred=blurred[1],
            )
        )
    except BaseException:
        sink.writer.discard()
        raise


def _check_mix_ratio(mix: Path | None, ratio: float | None) -> float:
    """The share of other conversations; 0 where there are none."""
    if mix is None:
        if ratio is not None:
            raise InputError(f"mix_ratio {ratio}: a share of which conversations? give --mix too")
        return 0.0
    ratio = MIX_RATIO if ratio is None else ratio
    if not 0 < ratio < 1:
        raise InputError(f"mix_ratio is a share of the conversations between 0 and 1: {ratio}")
    return ratio


def _check_images_folder(images: Path | None, look: bool, blur_faces: bool) -> None:
    if look and images is None:
        raise InputError("the folder of the pictures is not given; give --images or --no-images")
    if blur_faces:
        if images is None or not look:
            raise InputError("faces can be blurred in pictures that are there; give --images alone")
        check_opencv()


@dataclass(frozen=True)
class _Rows:
    """What came of a batch, ready to be written."""

    rows: pa.RecordBatch
    counts: Counter[str]
    drops: Counter[str]


@dataclass
class _RowSink:
    """Writes rows as they come, and sums up what is in them."""

    writer: DatasetWriter
    pictures: list[str] = field(default_factory=list)  # file names, one per row
    counts: Counter[str] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)

    def add(self, part: _Rows) -> None:
        self.writer.write(part.rows)
        self.pictures += part.rows.column("image").to_pylist()
        self.counts.update(part.counts)
        self.drops.update(part.drops)


def _make_manifest(
    sink: _RowSink, data: AnnotationSet, settings: QuestionOptions, **others: Any
) -> Manifest:
    """What is in the sink, and what it was made of; `others` are the other fields."""
    limits = settings.limits
    return Manifest(
        options=dict(data.options),
        options_sha256=_digest_options(data.options),
        splits=data.splits,
        pseudo=dict(data.pseudo),
        categories=data.categories,
        objectives=settings.objectives,
        location=settings.location,
        seed=settings.seed,
        negatives=settings.negatives,
        spatial=settings.spatial,
        min_area=limits.min_area,
        max_area=limits.max_area,
        edge=limits.edge,
        per_category=settings.per_category,
        pictures=len(sink.pictures),
        counts=dict(sink.counts),
        drops=dict(+sink.drops),
        **others,
    )


def _file_fields(**paths: Path | None) -> dict[str, str]:
    """Where each file lies, and under ``NAME_sha256`` its digest; empty for what is not given."""
    digests = {f"{name}_sha256": digest_files(path) for name, path in paths.items()}
    return {name: _absolute(path) for name, path in paths.items()} | digests


def _build_rows(
    data: AnnotationSet, settings: QuestionOptions, engine: Engine, workers: int
) -> Iterator[_Rows]:
    """The rows of all pictures, in order."""
    plan = make_plan(data, settings)
    if settings.per_category is not None:
        batches = _batches(data.images, "Balancing")
        found = ordered(partial(lowest_ranks, plan), batches, engine=engine, workers=workers)
        plan = replace(plan, quota=compute_quota(found, settings.per_category, settings.seed))
    batches = _batches(data.images, "Building")
    return ordered(partial(_make_rows, plan), batches, engine=engine, workers=workers)


def _batches(images: Sequence[AnnotatedImage], doing: str) -> Iterator[Sequence[AnnotatedImage]]:
    starts = range(0, len(images), AT_ONCE)
    for start in track(starts, doing):
        yield images[start : start + AT_ONCE]


def _mixed_rows(
    path: Path, count: int, data: AnnotationSet, images: Path | None, seed: int
) -> _Rows:
    """Conversations of other data."""
    from locvlm.instructions.arrow import encode_conversations

    sizes = {image.file_name: (image.width, image.height) for image in data.images}
    drops: Counter[str] = Counter()
    made = read_mixed(path, count, sizes=sizes, images=images, seed=seed, drops=drops)
    counts = Counter(item.objective for row in made for item in row.instructions)
    return _Rows(encode_conversations(made), counts, +drops)


@uncollected()
def _make_rows(plan: QuestionPlan, images: Sequence[AnnotatedImage]) -> _Rows:
    from locvlm.instructions.arrow import encode_batch

    made = build_batch(plan, images)
    return _Rows(encode_batch(made, plan.source), made.counts, made.drops)


def _absolute(path: Path | None) -> str:
    return str(path.resolve()) if path else ""


def _digest_options(options: Mapping[str, str]) -> dict[str, str]:
    """Those of the files among the options."""
    return {name: digest_files(Path(value)) for name, value in options.items() if name != "split"}


def digest_files(path: Path | None) -> str:
    """SHA-256 of a file; of a folder, that of the names and contents of its annotation files."""
    if path is None:
        return ""
    if not path.is_dir():
        return digest_file(path)
    digest = hashlib.sha256()
    for file in files_below(path):
        if file.suffix.lower() not in SUFFIXES and is_file(file):
            digest.update(
                os.fsencode(f"{file.relative_to(path).as_posix()} {digest_files(file)}\n")
            )
    return digest.hexdigest()
