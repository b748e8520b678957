"""Looks at instructions as the model gets them: pixels, tokens, loss mask, decoded locations.

Nothing is drawn from what was meant: the picture is the processor's own output, the tokens and the
mask are the collator's, and the boxes are parsed back from those very tokens. Where a decoded box
leaves its annotated one, a coordinate was written in the wrong frame or cut by the tokenizer.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError
from locvlm.geometry import Frame
from locvlm.inspection.sample import InspectedQuestion, InspectedSample, InspectedToken
from locvlm.inspection.seen_image import see
from locvlm.inspection.skipping import leave_out_unusable
from locvlm.instructions.base import Conversation, Instruction
from locvlm.io.outputs import Reads, fill_output_folder
from locvlm.io.pages import render_page
from locvlm.media.opening import View, open_media
from locvlm.progress import track

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Inspection:
    """What an inspection found, over all its samples."""

    pictures: tuple[Path, ...]  # the PNG files, one per sample
    index: Path  # index.html, which shows them
    locations: int  # annotated locations among the samples
    undecoded: int  # questions whose tokens do not give back their locations
    deviation: float  # the largest, original pixels
    skipped: tuple[str, ...] = ()  # pictures of the choice that cannot be shown: name and reason
    unseen: tuple[str, ...] = ()  # what of the data set's questions the model cannot see, in words


def inspect(
    data: Path,
    model_name: str,
    out: Path,
    *,
    split: str | None = None,
    count: int = 8,
    coordinates: CoordinateFormat | None = None,
    seed: int = 0,
    images: Path | None = None,
) -> Inspection:
    """Draw `count` conversations of a data set, drawn by `seed`, into the folder `out`.

    Needs the model's processor only, not its weights. Questions about what lies outside of what
    the model sees are left out, as in training.

    Args:
        data: folder of a data set, as `locvlm build` writes it.
        model_name: a shipped model or a folder.
        out: gets one PNG per sample and index.html.
        split: such as val, or all; None: what the data set asks about (see `read_split`).
        count: how many; fewer where the data set is smaller.
        coordinates: write locations in this format instead of the model's own.
        seed: of the choice.
        images: folder of the data set's images; None: as it says itself.

    Raises:
        InputError: no such data set, model or picture, or a `count` below 1.
    """
    from locvlm.instructions.dataset import find_images_folder
    from locvlm.models.folders import user_folders

    if count < 1:
        raise InputError(f"count must be at least 1 sample, not {count}")
    images = find_images_folder(data, images)
    reads = Reads([data, images, *user_folders(model_name)])
    with fill_output_folder(out, "inspect", reads) as folder:
        asked = (split, count, seed)
        found = _inspect_into(folder, data, images, model_name, coordinates, *asked)
    pictures = tuple(out / path.name for path in found.pictures)
    return replace(found, pictures=pictures, index=out / found.index.name)


def _inspect_into(
    folder: Path,
    data: Path,
    images: Path,
    model_name: str,
    coordinates: CoordinateFormat | None,
    split: str | None,
    count: int,
    seed: int,
) -> Inspection:
    """As `inspect`, into a folder that is there."""
    from locvlm.instructions.split_questions import read_split
    from locvlm.instructions.visible import keep_visible_of
    from locvlm.models.load import load_processor

    conversations = read_split(data, split)
    if not conversations:
        raise InputError(f"{data}: the data set is empty; build it from pictures with objects")
    processor, speech = load_processor(model_name, speech=coordinates)
    conversations, unseen = keep_visible_of(data, conversations, processor)
    chosen = random.Random(seed).sample(conversations, min(count, len(conversations)))
    chosen, skipped = leave_out_unusable(chosen, images, processor, speech)
    samples = inspect_conversations(chosen, images, processor, speech)
    found = _write_pages(samples, folder, f"{data.name}, as {model_name} sees it")
    return replace(found, skipped=skipped, unseen=tuple(unseen.describe()))


def inspect_conversations(
    conversations: Sequence[Conversation],
    images: Path,
    processor: Any,
    coordinates: CoordinateFormat,
) -> list[InspectedSample]:
    """The conversations as a model with this processor gets them; pictures are in `images`."""
    from locvlm.instructions.visible import FieldOfView
    from locvlm.models.video_llava.processor import frames_of
    from locvlm.training.data.collator import Collator

    collator = Collator(processor, coordinates)
    field = FieldOfView(processor, ((item.width, item.height) for item in conversations))
    samples = []
    for conversation in track(conversations, "Inspecting"):
        size = (conversation.width, conversation.height)
        view = open_media(images / conversation.image, frames_of(processor), annotated_size=size)
        encoded = collator.encode(conversation, view)
        text_frame = coordinates.frame_on(processor, size)
        ids, labels = encoded.input_ids.tolist(), encoded.labels.tolist()
        ends = np.cumsum([encoded.prefix, *encoded.lengths]).tolist()
        questions = [
            _inspect_question(
                instruction, ids[start:end], labels[start:end], processor, coordinates, text_frame
            ).seen_in(field.part(size))
            for instruction, start, end in zip(
                conversation.instructions, ends, ends[1:], strict=False
            )
        ]
        seen = see(processor, view)
        prefix = _format_prefix(processor, ids[: encoded.prefix])
        samples.append(
            InspectedSample(
                conversation, seen.image, seen.frame, prefix, tuple(questions), seen.tiles
            )
        )
    return samples


def model_image(processor: Any, view: View) -> Image.Image:
    """The model's own pixels of a picture, before they are normalized; of a clip, their mean.

    As `locvlm.inspection.seen_image.see`, which tells their frame, too.
    """
    return see(processor, view).image


def _inspect_question(
    instruction: Instruction,
    ids: list[int],
    labels: list[int],
    processor: Any,
    coordinates: CoordinateFormat,
    text_frame: Frame,
) -> InspectedQuestion:
    from locvlm.training.data.collator import IGNORED

    decode = processor.tokenizer.decode
    tokens = [
        InspectedToken(decode([i]), label != IGNORED) for i, label in zip(ids, labels, strict=True)
    ]
    return InspectedQuestion(
        instruction, tuple(tokens), tuple(coordinates.parse(decode(ids), text_frame))
    )


def _format_prefix(processor: Any, ids: list[int]) -> str:
    """The tokens before the first question, with a run of image tokens as `<image> x 256`.

    A picture with line breaks between its rows is `16 rows of <image> x 16`.
    """
    text: str = processor.tokenizer.decode(ids)
    image = getattr(processor, "image_token", None)
    if image is None:
        return text
    run = re.escape(image)
    text = re.sub(rf"(?:{run})+", lambda found: f"{image} x {found[0].count(image)}", text)
    rows = re.compile(rf"({run} x \d+)(?:\n\1){{2,}}")
    return rows.sub(lambda found: f"{found[0].count(image)} rows of {found[1]}", text)


def _write_pages(samples: Sequence[InspectedSample], out: Path, title: str) -> Inspection:
    from locvlm.inspection.drawing import draw_sample

    images = []
    for number, sample in enumerate(samples, 1):
        images.append(out / f"{number:02}-{Path(sample.conversation.image).stem}.png")
        draw_sample(sample).save(images[-1])
    questions = [question for sample in samples for question in sample.questions]
    found = Inspection(
        pictures=tuple(images),
        index=out / "index.html",
        locations=sum(len(question.instruction.locations) for question in questions),
        undecoded=sum(question.deviation is None for question in questions),
        deviation=max((question.deviation or 0.0 for question in questions), default=0.0),
    )
    found.index.write_text(_format_page(samples, found, title), encoding="utf-8")
    return found


def _format_size(sample: InspectedSample) -> str:
    width, height = sample.image_frame.original
    if sample.tiles:
        return f"{width} × {height} pixels, seen in {len(sample.tiles)} tiles (grey)"
    seen = sample.image_frame.model
    return f"{width} × {height} pixels, seen as {seen[0]} × {seen[1]}"


def _format_page(samples: Sequence[InspectedSample], found: Inspection, title: str) -> str:
    pairs = zip(samples, found.pictures, strict=True)
    shown = [(sample, path, _format_size(sample)) for sample, path in pairs]
    return render_page(TEMPLATES, "inspection.html.j2", title=title, shown=shown, found=found)
