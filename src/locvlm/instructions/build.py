"""From annotated pictures to an instruction data set."""

from __future__ import annotations

import hashlib
import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locvlm import annotations as readers
from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.files import files_below, is_file
from locvlm.annotations.pictures import SUFFIXES
from locvlm.errors import InputError
from locvlm.files import sha256
from locvlm.garbage import uncollected
from locvlm.instructions import objectives as known
from locvlm.instructions.balance import Key, Lowest, Quota, Rank, lowest, quota, ranked
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.dataset import COPIES, DatasetWriter, Manifest
from locvlm.instructions.engines import Engine, ordered
from locvlm.instructions.filters import Limits, usable_descriptions
from locvlm.instructions.mixing import mixed, wanted
from locvlm.instructions.negatives import Choice, negatives
from locvlm.instructions.objectives import RELATIONS, Asking, Places
from locvlm.instructions.templates import Templates, read_templates
from locvlm.progress import track
from locvlm.pseudo import faces
from locvlm.pseudo.face_detector import check_opencv

if TYPE_CHECKING:
    import pyarrow as pa

PAPER = ("locpred", "negpred", "revloc")
MIX_RATIO = 0.3  # share of other conversations where they are mixed in
AT_ONCE = 2000  # pictures per batch


@dataclass(frozen=True)
class Settings:
    """What is asked about pictures, and how. The same settings give the same questions."""

    objectives: tuple[str, ...] = PAPER  # names (see `locvlm.instructions.objectives.names`)
    location: Places = "box"  # say where by boxes, by centers, or by either, drawn each time
    seed: int = 0  # of all that is drawn
    negatives: Choice = "random"  # which absent categories are asked about
    spatial: tuple[str, ...] = RELATIONS[:2]  # relations that the objective spatial asks about
    limits: Limits = field(default_factory=Limits)  # of the objects that are asked about
    templates: Templates = field(default_factory=Templates)  # in place of the objectives' own
    per_category: int | None = None  # questions per category and objective; None: all


@dataclass(frozen=True)
class Built:
    """What was made, and what was left out."""

    conversations: list[Conversation]  # one per picture, in the order of the annotations
    counts: Counter[str]  # objective -> instructions, 0 where it gave none
    drops: Counter[str]  # reason -> how many; the reader's drops included


@dataclass(frozen=True)
class _Plan:
    """What it takes to ask about pictures, whichever they are: an engine sends it once."""

    asking: Asking
    source: str
    settings: Settings
    quota: Quota | None = None


def build(annotations: AnnotationSet, objectives: Sequence[str] = PAPER, **options: Any) -> Built:
    """All instructions of all pictures, in memory.

    What is asked about a picture depends on the seed, its id and the objective alone: neither other
    pictures nor other objectives change it. Pictures that give no instruction are left out.

    Args:
        annotations: boxes in original pixels.
        objectives: names of objectives.
        options: the other fields of `Settings`, and those of `Limits`.

    Raises:
        InputError: an unknown or repeated objective, captions asked for and none there, a category
            with braces in its name, or a number out of range.
    """
    settings = _settings(objectives=tuple(objectives), **options)
    _check(annotations, settings)
    plan, images = _plan(annotations, settings), annotations.images
    if settings.per_category is not None:
        kept = quota([_lowest(plan, images)], settings.per_category, settings.seed)
        plan = replace(plan, quota=kept)
    built = _make(plan, images)
    return replace(built, drops=built.drops + annotations.drops)


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
    _check_pictures(images, look, blur_faces)
    ratio = _mix_ratio(mix, mix_ratio)
    sink = _Sink(DatasetWriter(out))
    chosen = _settings(
        templates=read_templates(templates) if templates else Templates(), **settings
    )
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
    _check(data, chosen)
    sink.counts.update(dict.fromkeys(chosen.objectives, 0))
    sink.drops.update(data.drops)
    blurred: tuple[int | None, int | None] = (None, None)
    try:
        with uncollected():
            for part in _parts(data, chosen, engine, workers):
                sink.add(part)
        if not sink.pictures:
            raise InputError(
                f"{annotations}: gives no instruction for {', '.join(chosen.objectives)}; "
                "use annotations with objects or other objectives"
            )
        if mix is not None:
            count = wanted(len(sink.pictures), ratio)
            sink.add(_mix(mix, count, data, images, chosen.seed))
        if blur_faces and images is not None:
            blurred = faces.blur_faces(sink.pictures, images, out / COPIES, workers=workers)
            images = out / COPIES
        return sink.writer.close(
            _manifest(
                sink,
                data,
                chosen,
                **_files(annotations=annotations, captions=captions, templates=templates, mix=mix),
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


def _mix_ratio(mix: Path | None, ratio: float | None) -> float:
    """The share of other conversations; 0 where there are none."""
    if mix is None:
        if ratio is not None:
            raise InputError(f"mix_ratio {ratio}: a share of which conversations? give --mix too")
        return 0.0
    ratio = MIX_RATIO if ratio is None else ratio
    if not 0 < ratio < 1:
        raise InputError(f"mix_ratio is a share of the conversations between 0 and 1: {ratio}")
    return ratio


def _check_pictures(images: Path | None, look: bool, blur_faces: bool) -> None:
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
class _Sink:
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


def _manifest(sink: _Sink, data: AnnotationSet, settings: Settings, **others: Any) -> Manifest:
    """What is in the sink, and what it was made of; `others` are the other fields."""
    limits = settings.limits
    return Manifest(
        options=dict(data.options),
        options_sha256=_digests(data.options),
        splits=data.splits,
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


def _files(**paths: Path | None) -> dict[str, str]:
    """Where each file lies, and under ``NAME_sha256`` its digest; empty for what is not given."""
    digests = {f"{name}_sha256": _digest(path) for name, path in paths.items()}
    return {name: _absolute(path) for name, path in paths.items()} | digests


def _parts(
    data: AnnotationSet, settings: Settings, engine: Engine, workers: int
) -> Iterator[_Rows]:
    """The rows of all pictures, in order."""
    plan = _plan(data, settings)
    if settings.per_category is not None:
        batches = _batches(data.images, "Balancing")
        found = ordered(partial(_lowest, plan), batches, engine=engine, workers=workers)
        plan = replace(plan, quota=quota(found, settings.per_category, settings.seed))
    batches = _batches(data.images, "Building")
    return ordered(partial(_make_rows, plan), batches, engine=engine, workers=workers)


def _batches(images: Sequence[AnnotatedImage], doing: str) -> Iterator[Sequence[AnnotatedImage]]:
    starts = range(0, len(images), AT_ONCE)
    for start in track(starts, doing):
        yield images[start : start + AT_ONCE]


def _mix(path: Path, count: int, data: AnnotationSet, images: Path | None, seed: int) -> _Rows:
    """Conversations of other data."""
    from locvlm.instructions.columns import record_batch

    sizes = {image.file_name: (image.width, image.height) for image in data.images}
    drops: Counter[str] = Counter()
    made = mixed(path, count, sizes=sizes, images=images, seed=seed, drops=drops)
    counts = Counter(item.objective for row in made for item in row.instructions)
    return _Rows(record_batch(made), counts, +drops)


def _plan(data: AnnotationSet, settings: Settings) -> _Plan:
    chooser = negatives(data, settings.negatives)
    asking = Asking(
        data.categories, settings.location, chooser, settings.spatial, settings.templates
    )
    return _Plan(asking, data.source.name, settings)


@uncollected()
def _make_rows(plan: _Plan, images: Sequence[AnnotatedImage]) -> _Rows:
    from locvlm.instructions.columns import record_batch

    built = _make(plan, images)
    return _Rows(record_batch(built.conversations), built.counts, built.drops)


def _make(plan: _Plan, images: Sequence[AnnotatedImage]) -> Built:
    settings = plan.settings
    conversations = []
    counts = Counter(dict.fromkeys(settings.objectives, 0))
    drops: Counter[str] = Counter()
    for image in images:
        drops["crowds, not asked about"] += sum(item.crowd for item in image.objects)
        image = settings.limits.apply(usable_descriptions(image, drops), drops)
        made = _instructions(image, plan.asking, settings)
        if plan.quota:
            kept = plan.quota.keep(image.id, made)
            drops["questions beyond per_category"] += len(made) - len(kept)
            made = kept
        counts.update(item.objective for item in made)
        drops["pictures without instructions"] += not made
        if made:
            size = (image.width, image.height)
            conversations.append(Conversation(image.file_name, *size, tuple(made), plan.source))
    return Built(conversations, counts, +drops)


def _settings(**options: Any) -> Settings:
    """Settings whose limits are given beside the other fields."""
    limits = {item.name: options.pop(item.name) for item in fields(Limits) if item.name in options}
    return Settings(**options, limits=Limits(**limits))


def _check(annotations: AnnotationSet, settings: Settings) -> None:
    source, objectives = annotations.source, settings.objectives
    for name in objectives:
        known.get(name)
    if not objectives or len(set(objectives)) < len(objectives):
        raise InputError(
            f"objectives {','.join(objectives)!r}: name at least one, none of them twice; "
            f"known: {', '.join(known.names())}"
        )
    for relation in settings.spatial:
        if relation not in RELATIONS:
            raise InputError(f"no spatial relation {relation!r}; known: {', '.join(RELATIONS)}")
    if settings.per_category is not None and settings.per_category < 1:
        raise InputError(f"per_category must be at least 1, not {settings.per_category}")
    if "caption" in objectives and not any(image.captions for image in annotations.images):
        raise InputError(f"{source}: has no captions for the objective caption; give their file")
    for name in annotations.categories:
        if "{" in name or "}" in name:  # a template could take them for a place to fill
            raise InputError(f"{source}: rename the category {name!r}, without braces")


@uncollected()
def _lowest(plan: _Plan, images: Sequence[AnnotatedImage]) -> Lowest:
    """The lowest ranks of a batch, for its share in the quota."""
    settings = plan.settings
    unused: Counter[str] = Counter()  # what is left out is counted when the rows are made
    ranks: list[tuple[Key, Rank]] = []
    for image in images:
        image = settings.limits.apply(usable_descriptions(image, unused), unused)
        ranks += ranked(image.id, _instructions(image, plan.asking, settings), settings.seed)
    return lowest(ranks, settings.per_category or 0)


def _instructions(image: AnnotatedImage, asking: Asking, settings: Settings) -> list[Instruction]:
    made: list[Instruction] = []
    for name in settings.objectives:
        rng = random.Random(f"{settings.seed}/{image.id}/{name}")
        made += known.get(name)(image, asking, rng)
    return made


def _absolute(path: Path | None) -> str:
    return str(path.resolve()) if path else ""


def _digests(options: Mapping[str, str]) -> dict[str, str]:
    """Those of the files among the options."""
    return {name: _digest(Path(value)) for name, value in options.items() if name != "split"}


def _digest(path: Path | None) -> str:
    """SHA-256 of a file; of a folder, that of the names and contents of its annotation files."""
    if path is None:
        return ""
    if not path.is_dir():
        return sha256(path)
    digest = hashlib.sha256()
    for file in files_below(path):
        if file.suffix.lower() not in SUFFIXES and is_file(file):
            digest.update(os.fsencode(f"{file.relative_to(path).as_posix()} {_digest(file)}\n"))
    return digest.hexdigest()
