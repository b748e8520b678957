"""Whole builds: from detection files to an instruction data set on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.drops import examples_of
from locvlm.annotations.every_split import read_every_split
from locvlm.annotations.form_names import BoxForm
from locvlm.annotations.listing import is_read_deeply
from locvlm.annotations.splits import asked_split, count_splits, list_held_out, select_asked
from locvlm.annotations.wording import name_categories, read_names
from locvlm.errors import InputError
from locvlm.instructions import faces, objectives
from locvlm.instructions.absence_range import ABSENCES
from locvlm.instructions.build import QuestionOptions, check_options, choose_absences
from locvlm.instructions.dataset import BLURRED_IMAGES, Manifest, find_default_images, path_from
from locvlm.instructions.dataset_writer import DatasetWriter
from locvlm.instructions.dividing import Division, divide
from locvlm.instructions.face_detector import check_opencv
from locvlm.instructions.image_checks import Check, drop_unusable
from locvlm.instructions.image_samples import sample_images
from locvlm.instructions.mixing import count_to_mix, read_mixed
from locvlm.instructions.question_rows import Rows, RowWriter, write_questions
from locvlm.instructions.source_files import absolute, digest_options, manifest_fields
from locvlm.instructions.tally import finish_tallies
from locvlm.instructions.templates import read_templates
from locvlm.io.outputs import Reads
from locvlm.parallel.engines import Engine
from locvlm.runtime.garbage_collection import pause_collection

MIX_RATIO = 0.3  # share of other conversations where they are mixed in


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """How a data set is built from files. Engine and workers change nothing about the result."""

    questions: QuestionOptions = field(default_factory=QuestionOptions)
    reader: str = "coco"  # form of the annotations (see `locvlm.annotations.readers`)
    captions: Path | None = None  # COCO captions of the same pictures, for the objective caption
    split: str | None = None  # such as train, or all of them; None: train, or the only one
    classes: Path | None = None  # Open Images' class names; None: those beside the annotations
    image_labels: Path | None = None  # Open Images' image labels, likewise
    boxes: BoxForm | None = None  # how the boxes are written; None: as the format says
    find_images: bool = True  # leave pictures out that are not in the folder, and count them
    names: Path | None = None  # words for categories (see `locvlm.annotations.wording`)
    templates: Path | None = None  # YAML file of templates (see `templates`)
    mix: Path | None = None  # other instruction data (see `mixing`), which are appended
    mix_ratio: float | None = None  # their share of all conversations; None: `MIX_RATIO`
    check: Check | None = None  # how far pictures are read first; None: as the reader needs
    blur_faces: bool = False  # copy the pictures to the data set, with blurred faces (see `faces`)
    division: Division = field(default_factory=Division)  # into what is learned and held out
    engine: Engine = "local"  # where the work is done
    workers: int = 1  # how many do it

    @property
    def of_reader(self) -> dict[str, Any]:
        """The options of the reader that are given."""
        names = ("captions", "split", "classes", "image_labels", "boxes")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @property
    def share_of_mixed(self) -> float:
        """The share of other conversations; 0 where there are none."""
        if self.mix is None:
            return 0.0
        return MIX_RATIO if self.mix_ratio is None else self.mix_ratio


def build_from_files(
    annotations: Path, images: Path | None, out: Path, options: BuildOptions | None = None
) -> Manifest:
    """Read a detection file, build its instructions and write them into the folder `out`.

    They go to disk as they are made, so that memory holds the annotations alone.

    Args:
        annotations: detection file, or folder of them.
        images: folder of the pictures; None: that of a built data set, else not known yet.
        out: new or empty folder, or one that holds an older data set, which is replaced.
        options: see `BuildOptions`.

    Returns:
        The manifest, as it was written.

    Raises:
        InputError: something in the files or options cannot be used, `out` holds something
            else, or no instruction came out.
    """
    options = options or BuildOptions()
    if images is None or options.find_images:
        images = find_default_images(annotations, images)
    _check(options, images)
    writer = RowWriter(DatasetWriter(out, _reads_of(annotations, images, options)))
    options = _with_templates(options)
    data = _read_annotations(annotations, images, options)
    data, unusable = _check_images(data, images, options)
    folder = images if options.find_images else None
    divided = divide(data, folder, options.division, seed=options.questions.seed)
    data = divided.data
    asked = select_asked(data)
    others = list_held_out(data, asked)
    options = _with_absences(options, asked)
    try:
        write_questions(writer, asked, options.questions, options.engine, options.workers)
        _write_objects(writer.dataset, data)
        _write_mixed(writer, data, others, images, options)
        images, faces_found = _blur_faces((*writer.images, *others), images, out, options)
        manifest = _make_manifest(
            writer,
            data,
            options,
            **_describe_files(annotations, options),
            images=absolute(images),
            images_relative=path_from(out, images),
            image_samples=sample_images(images, writer.images, options.questions.seed),
            unusable_images=unusable,
            leaks=divided.leaks,
            remarks=(*data.remarks, *(faces_found.remarks if faces_found else ())),
            **(faces_found.fields if faces_found else {}),
        )
        return writer.dataset.close(manifest)
    except BaseException:
        writer.dataset.discard()
        raise


def _reads_of(annotations: Path, images: Path | None, options: BuildOptions) -> Reads:
    """What a build reads: nothing may be written there."""
    named = (options.captions, options.classes, options.image_labels, options.names)
    files = (images, *named, options.templates, options.mix)
    deep = is_read_deeply(annotations, options.reader)
    return Reads([annotations, *files], listed=[annotations] if deep else [])


def _describe_files(annotations: Path, options: BuildOptions) -> dict[str, Any]:
    """What the manifest says of the files that a build reads."""
    others = {"captions": options.captions, "templates": options.templates, "mix": options.mix}
    return manifest_fields(annotations=annotations, **others)


def _check(options: BuildOptions, images: Path | None) -> None:
    """Raises InputError where the options do not go together."""
    if options.find_images and images is None:
        raise InputError("the folder of the pictures is not given; give --images or --no-images")
    if options.check and (images is None or not options.find_images):
        raise InputError("--check reads pictures that are there; give --images alone")
    if options.blur_faces:
        if images is None or not options.find_images:
            raise InputError("faces can be blurred in pictures that are there; give --images alone")
        check_opencv()
    ratio = options.mix_ratio
    if options.mix is None and ratio is not None:
        raise InputError(f"mix_ratio {ratio}: a share of which conversations? give --mix too")
    if ratio is not None and not 0 < ratio < 1:
        raise InputError(f"mix_ratio is a share of the conversations between 0 and 1: {ratio}")


def _with_templates(options: BuildOptions) -> BuildOptions:
    """The options, with what their file of templates says."""
    if options.templates is None:
        return options
    templates = read_templates(options.templates, objectives.template_rules())
    return replace(options, questions=replace(options.questions, templates=templates))


def _with_absences(options: BuildOptions, asked: AnnotationSet) -> BuildOptions:
    """The options, with how many absences are asked about, also where nobody has said it."""
    questions = options.questions
    absences = questions.absences or choose_absences(asked, questions)
    return replace(options, questions=replace(questions, absences=absences))


def _read_annotations(
    annotations: Path, images: Path | None, options: BuildOptions
) -> AnnotationSet:
    """The annotations. Raises InputError where they do not go with what is to be made of them."""
    names = options.questions.objectives
    if options.captions and not any(objectives.get(name).needs_captions for name in names):
        raise InputError(
            f"{options.captions}: captions are used by the objective caption alone; name it too"
        )
    folder = images if options.find_images else None
    with pause_collection():
        data = read_every_split(options.reader, annotations, images=folder, **options.of_reader)
        if options.names is not None:
            data = name_categories(data, read_names(options.names), str(options.names))
    check_options(select_asked(data), options.questions)
    return data


def _check_of(options: BuildOptions) -> Check | None:
    """Who blurs faces decodes all frames, and a file that cannot be read must not end that."""
    return "frames" if options.blur_faces else options.check


def _check_images(
    data: AnnotationSet, images: Path | None, options: BuildOptions
) -> tuple[AnnotationSet, dict[str, str]]:
    """The annotations of pictures that can be read, and why others cannot."""
    check = _check_of(options)
    if check is None or images is None:
        return data, {}
    return drop_unusable(data, images, check, engine=options.engine, workers=options.workers)


def _write_objects(dataset: DatasetWriter, data: AnnotationSet) -> None:
    """All that is known about the pictures, from which training asks more and names patches."""
    from locvlm.annotations.object_rows import encode_in_batches

    for rows in encode_in_batches(data.images, data.categories):
        dataset.write_objects(rows)


def _write_mixed(
    writer: RowWriter,
    data: AnnotationSet,
    others: Collection[str],
    images: Path | None,
    options: BuildOptions,
) -> None:
    """Conversations of other data, where there are to be some."""
    if options.mix is None:
        return
    from locvlm.instructions.arrow import encode_conversations

    sizes = {image.file_name: (image.width, image.height) for image in data.images}
    drops: Counter[str] = Counter()
    mixed = read_mixed(
        options.mix,
        count_to_mix(len(writer.images), options.share_of_mixed),
        sizes=sizes,
        held_out=others,
        images=images,
        seed=options.questions.seed,
        drops=drops,
        pixels=_check_of(options) in ("pixels", "frames"),
    )
    counts = Counter(item.objective for row in mixed for item in row.instructions)
    writer.add(Rows(encode_conversations(mixed), counts, +drops))


def _blur_faces(
    names: Sequence[str], images: Path | None, out: Path, options: BuildOptions
) -> tuple[Path | None, faces.BlurSummary | None]:
    """The folder that the data set's pictures are in, and how many faces were blurred in them."""
    if not options.blur_faces or images is None:
        return images, None
    copies = out / BLURRED_IMAGES
    return copies, faces.blur_faces(names, images, copies, workers=options.workers)


def _make_manifest(
    writer: RowWriter, data: AnnotationSet, options: BuildOptions, **others: Any
) -> Manifest:
    """What was written, and what it was made of; `others` are the other fields."""
    questions, limits = options.questions, options.questions.limits
    return Manifest(
        reader=options.reader,
        options=dict(data.options),
        options_sha256=digest_options(data.options),
        splits=data.splits,
        split=asked_split(data),
        split_images=count_splits(data.images),
        split_drops={name: dict(+Counter(drops)) for name, drops in data.split_drops.items()},
        pseudo=dict(data.pseudo),
        categories=data.categories,
        names=dict(data.names),
        objectives=questions.objectives,
        location=questions.location,
        seed=questions.seed,
        negatives=questions.negatives,
        spatial=questions.spatial,
        min_area=limits.min_area,
        max_area=limits.max_area,
        edge=limits.edge,
        absences=questions.absences or ABSENCES,
        per_category=questions.per_category,
        ask_unboxed=questions.unboxed,
        described_only=questions.described_only,
        unboxed=data.unboxed or (),
        dummies=data.dummies,
        template_texts={name: dict(own) for name, own in questions.templates.by_objective.items()},
        mix_ratio=options.share_of_mixed,
        hold_out=options.division.hold_out,
        group_by=options.division.group_by,
        leaky=options.division.leaky,
        pictures=len(writer.images),
        counts=dict(writer.counts),
        asked=finish_tallies(writer.tallies, questions.objectives),
        drops=dict(+writer.drops),
        examples=examples_of(data.drops),
        **others,
    )
