"""From our data set to another trainer's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from locvlm.coordinates import CoordinateFormat, get
from locvlm.errors import InputError, LocVLMError, UnusableImageError
from locvlm.geometry import Frame, Size
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.dataset import images_folder
from locvlm.instructions.render import render
from locvlm.instructions.split_questions import read_split
from locvlm.instructions.visible import UNSEEN_QUESTIONS, keep_visible_of
from locvlm.interchange import export as targets
from locvlm.interchange.export.base import VIDEO, ExportOptions, ExportSample, ExportTarget
from locvlm.interchange.export.former import check_export
from locvlm.io.atomic import ensure_dir
from locvlm.io.confined_paths import relative_inside
from locvlm.io.reading import is_file
from locvlm.media.opening import is_clip_only, read_media_header
from locvlm.progress import track

OUTSIDE = "pictures that are not in the folder of the pictures"


@dataclass
class ExportReport:
    """What was written, and what was left out."""

    coordinates: CoordinateFormat
    as_text: bool = True  # locations are text; False: numbers, in original pixels
    images: int = 0
    questions: int = 0
    drops: Counter[str] = field(default_factory=Counter)  # reason -> how many
    unusable: dict[str, str] = field(default_factory=dict)  # pictures left out -> what is wrong
    unseen: list[str] = field(default_factory=list)  # questions that the model cannot see, in words


def export(data: Path, to: str, out: Path, options: ExportOptions | None = None) -> ExportReport:
    """Write a data set for another trainer.

    Questions about what lies outside of what the model sees are left out, as in training.

    Args:
        data: folder of the data set.
        to: the target's name (see `locvlm.interchange.export.names`).
        out: file to write; for webdataset a folder.
        options: see `ExportOptions`.

    Raises:
        InputError: the data set or the model cannot be used, or nothing is left to write.
    """
    options = options or ExportOptions()
    target = targets.get(to)
    if out.name == "-":
        raise InputError("--out -: export writes a file; give its name")
    if options.with_images and not target.can_embed_images:
        able = [name for name in targets.names() if targets.get(name).can_embed_images]
        raise InputError(f"--with-images goes with --to {' or '.join(able)}, not with {to}")
    images = images_folder(data, options.images)
    check_export(out, target, data, [images, *_model_folders(options.model)])
    conversations = read_split(data, options.split)
    coordinates, text_frame_of, processor = _choose_format(options)
    report = ExportReport(coordinates, target.as_text)
    if processor is not None:
        conversations, unseen = keep_visible_of(data, conversations, processor)
        report.drops[UNSEEN_QUESTIONS] = unseen.left_out.total()
        report.drops["pictures that have no question left"] = unseen.images
        report.unseen = unseen.describe()
    clipped = coordinates.counts["encode_clipped"]
    source = _Source(data, images, conversations, coordinates, text_frame_of)
    ensure_dir(out.parent)
    target.write(source.samples(target, report), out, options)
    report.drops["locations clipped to what the model sees"] = (
        coordinates.counts["encode_clipped"] - clipped
    )
    report.drops = +report.drops
    return report


def _model_folders(model: str | None) -> list[Path]:
    if model is None:
        return []
    from locvlm.models.folders import user_folders

    return user_folders(model)


def _choose_format(
    options: ExportOptions,
) -> tuple[CoordinateFormat, Callable[[Size], Frame], Any]:
    """The coordinate format, the frame of its numbers for a picture's size, and the processor.

    The last is None where no model is given.
    """
    if options.model is None:
        coordinates = options.coordinates or get("ivb")
        return coordinates, coordinates.frame, None
    from locvlm.models.chat_template import chat_of
    from locvlm.models.load import load_processor
    from locvlm.models.twin import is_twin

    processor, chosen = load_processor(options.model, speech=options.coordinates)
    if is_twin(processor):
        raise InputError(
            f"{options.model}: is given every picture twice, the second time turned "
            "(image_tokens: twin), which no other trainer does; train it with locvlm train"
        )
    if processor.chat_template:
        chat_of(processor)  # of no use to any trainer where it writes no image
    return chosen, lambda size: chosen.frame_on(processor, size), processor


@dataclass(frozen=True)
class _Source:
    """A data set, and how its locations are written."""

    data: Path
    images: Path
    conversations: Sequence[Conversation]
    coordinates: CoordinateFormat
    text_frame_of: Callable[[Size], Frame]

    def samples(self, target: ExportTarget, report: ExportReport) -> Iterator[ExportSample]:
        """What the target can take, counted in the report."""
        for conversation in track(self.conversations, "Exporting"):
            path, size = self.images / conversation.image, (conversation.width, conversation.height)
            if relative_inside(self.images, conversation.image) is None:
                kind, reason = OUTSIDE, f"{path}: leads out of {self.images}"
            else:
                kind, reason = _why_unusable(path, size, target)
            text_frame = None
            if target.as_text and not reason:
                try:
                    text_frame = self.text_frame_of(size)
                except UnusableImageError as error:
                    kind, reason = "pictures that the model cannot be shown", f"{path}: {error}"
            if reason:
                report.drops[kind] += 1
                report.unusable[conversation.image] = reason
                continue
            items, turns = self._render_usable(conversation, target, text_frame, report.drops)
            if items:
                report.images += 1
                report.questions += len(items)
                usable = replace(conversation, instructions=items)
                yield ExportSample(usable, path, self.coordinates, turns)
        if not report.images:
            first = "".join(f", such as {reason}" for reason in list(report.unusable.values())[:1])
            counts = ", ".join(f"{why}: {count}" for why, count in report.drops.items())
            raise InputError(
                f"{self.data}: nothing to export is left: {counts}{first}; where are the pictures "
                "now? give --images"
            )

    def _render_usable(
        self,
        conversation: Conversation,
        target: ExportTarget,
        text_frame: Frame | None,
        drops: Counter[str],
    ) -> tuple[tuple[Instruction, ...], tuple[tuple[str, str], ...]]:
        """The instructions that can be written, and their text where there is a frame."""
        items, turns = [], []
        reserved = target.reserved
        if is_clip_only(conversation.image):
            reserved = tuple(dict.fromkeys((*reserved, VIDEO)))
        for item in conversation.instructions:
            if any(text in item.question + item.answer for text in reserved):
                drops[f"questions with {' or '.join(reserved)} in their text"] += 1
                continue
            try:
                turns += [render(item, self.coordinates, text_frame)] if text_frame else []
            except LocVLMError:  # it has boxes only, or points only
                drops[f"questions with a location that {self.coordinates.name} cannot write"] += 1
                continue
            items.append(item)
        return tuple(items), tuple(turns)


def _why_unusable(path: Path, size: Size, target: ExportTarget) -> tuple[str, str]:
    """Why a picture or clip cannot be handed on, in words for all such and for this one; else "".

    Its pixels are decoded only where the file seems to be cut.
    """
    if is_clip_only(path) and not target.takes_clips:
        return f"clips, which {target.name} data do not hold", f"{path}: is a clip"
    try:
        found = read_media_header(path).displayed
    except InputError as error:
        return f"pictures that {'cannot be read' if is_file(path) else 'are gone'}", str(error)
    if found == size:
        return "", ""
    sides = [f"{width}x{height}" for width, height in (found, size)]
    reason = f"{path}: is {sides[0]} pixels as displayed, annotated as {sides[1]}"
    return "pictures of another size than annotated", reason
