"""From our data set to another trainer's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from locvlm import coordinates
from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError, LocVLMError
from locvlm.geometry import Frame, Size
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.dataset import images_folder, read_dataset
from locvlm.instructions.render import render
from locvlm.interchange import export as targets
from locvlm.interchange.export.base import ExportOptions, ExportSample
from locvlm.interchange.export.parquet import NAME as PARQUET
from locvlm.interchange.export.trl import NAME as TRL
from locvlm.media.headers import read_header
from locvlm.progress import track


@dataclass
class ExportReport:
    """What was written, and what was left out."""

    coordinates: CoordinateFormat
    written: bool = True  # locations are text; False: numbers, in original pixels
    pictures: int = 0
    questions: int = 0
    drops: Counter[str] = field(default_factory=Counter)  # reason -> how many


def export(
    data: Path,
    to: str,
    out: Path,
    *,
    form: CoordinateFormat | None = None,
    model: str | None = None,
    options: ExportOptions | None = None,
) -> ExportReport:
    """Write a data set for another trainer.

    Args:
        data: folder of the data set.
        to: the target's name (see `locvlm.interchange.export.names`).
        out: file to write; for webdataset a folder.
        form: how to write locations; the model's own way, or else ivb with 224 bins.
        model: a shipped model or a folder: its processor says which frame locations are written
            in. None: the frame of the format's own models.
        options: see `Options`.

    Raises:
        InputError: the data set, one of its pictures or the model cannot be used, or nothing is
            left to write.
    """
    options = options or ExportOptions()
    target = targets.get(to)
    if out.name == "-":
        raise InputError("--out -: export writes a file; give its name")
    if options.with_images and to not in (PARQUET, TRL):
        raise InputError(f"--with-images goes with --to {PARQUET} or {TRL}, not with {to}")
    conversations, images = read_dataset(data), images_folder(data)
    form, frame_of = _choose_format(form, model)
    report = ExportReport(form, target.WRITTEN)

    def samples() -> Iterator[ExportSample]:
        for conversation in track(conversations, "Exporting"):
            path = images / conversation.image
            if reason := _reason_unusable(path, (conversation.width, conversation.height)):
                report.drops[reason] += 1
                continue
            frame = frame_of((conversation.width, conversation.height)) if target.WRITTEN else None
            items, turns = _render_usable(conversation, target.MARKS, form, frame, report.drops)
            if items:
                report.pictures += 1
                report.questions += len(items)
                yield ExportSample(replace(conversation, instructions=items), path, form, turns)
        if not report.pictures:
            raise InputError(f"{data}: nothing to export is left: {dict(report.drops)}")

    clipped = form.counts["encode_clipped"]
    target.write(samples(), out, options)
    report.drops["locations clipped to what the model sees"] = (
        form.counts["encode_clipped"] - clipped
    )
    report.drops = +report.drops
    return report


def _choose_format(
    form: CoordinateFormat | None, model: str | None
) -> tuple[CoordinateFormat, Callable[[Size], Frame]]:
    """The coordinate format, and the frame for a picture's size."""
    if model is None:
        form = form or coordinates.get("ivb")
        return form, form.frame
    from locvlm.models.load import load_processor
    from locvlm.models.twin import is_twin

    processor, own = load_processor(model)
    if is_twin(processor):
        raise InputError(
            f"{model}: is given every picture twice, the second time turned (image_tokens: twin), "
            "which no other trainer does; train it with locvlm train"
        )
    spoken = form or own
    return spoken, lambda size: spoken.frame_on(processor, size)


def _render_usable(
    conversation: Conversation,
    marks: Sequence[str],
    form: CoordinateFormat,
    frame: Frame | None,
    drops: Counter[str],
) -> tuple[tuple[Instruction, ...], tuple[tuple[str, str], ...]]:
    """What can be written, and its text where there is a frame."""
    items, turns = [], []
    for item in conversation.instructions:
        if any(mark in item.question + item.answer for mark in marks):
            drops[f"questions with {' or '.join(marks)} in their text"] += 1
            continue
        try:
            turns += [render(item, form, frame)] if frame else []
        except LocVLMError:  # it has boxes only, or points only
            drops[f"questions with a location that {form.name} cannot write"] += 1
            continue
        items.append(item)
    return tuple(items), tuple(turns)


def _reason_unusable(path: Path, size: Size) -> str:
    """Why a picture cannot be handed on; empty where it can. Its pixels are not decoded.

    Raises InputError where it is gone.
    """
    if not path.is_file():
        raise InputError(f"{path}: this picture of the data set is gone; put it back")
    try:
        found = read_header(path).displayed
    except InputError:
        return "pictures that cannot be read"
    return "" if found == size else "pictures of another size than annotated"
