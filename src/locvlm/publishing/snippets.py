"""What a card shows to copy: how to ask, and how numbers in an answer become pixels."""

from __future__ import annotations

import math
import re
from typing import Any, Literal

from locvlm.coordinates import CoordinateFormat
from locvlm.coordinates.dialect import Dialect
from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, Size, coords_of
from locvlm.inference.predictor import WHERE
from locvlm.processors import frame_of

Resizing = Literal["stretched", "padded", "other"]
SHAPES: tuple[Size, ...] = ((640, 480), (480, 640), (333, 500))  # pictures to try a processor on
EXAMPLE_SIZE: Size = (640, 480)
EXAMPLE_BOX = Box(12, 111, 37, 135)  # original pixels of a picture of that size
PLAIN = ("ivb", "nfp")  # formats whose numbers are shares of the model's picture, x first
_NUMBER = r"([\d.]+)"

ASK = """\
from PIL import Image, ImageOps
from transformers import {classes}

folder = "{title}"  # this folder, or its id on the Hub
{processor}
model = AutoModelForImageTextToText.from_pretrained(folder, dtype="{dtype}")
picture = ImageOps.exif_transpose(Image.open("street.jpg")).convert("RGB")
question = "{question}"
{pictures}
content = [*pictures, {{"type": "text", "text": question}}]
inputs = processor.apply_chat_template(
    [{{"role": "user", "content": content}}],
    add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
).to(model.device, model.dtype)
tokens = model.generate(**inputs)[0, inputs["input_ids"].shape[1]:]
answer = processor.decode(tokens, skip_special_tokens={words}).strip()
"""

_READ = """\
processor = AutoProcessor.from_pretrained(folder, backend="pil")  # the resize it learned with"""
_READ_VIDEOS = """\
processor = AutoProcessor.from_pretrained(folder)  # has a part for videos: needs torchvision
# the resize it learned with; torchvision's is another
processor.image_processor = AutoImageProcessor.from_pretrained(folder, backend="pil")"""

ONE = 'pictures = [{"type": "image", "image": picture}]'
TWO = """\
turned = picture.transpose(Image.Transpose.TRANSPOSE)  # it learned from both, in this order
pictures = [{"type": "image", "image": one} for one in (picture, turned)]"""

ASK_CLIP = """\
import locvlm.models.video_llava.model  # the model's own classes, for transformers
from locvlm.media.clips import open_clip
from transformers import AutoModelForImageTextToText, AutoProcessor

folder = "{title}"  # this folder, or its id on the Hub
processor = AutoProcessor.from_pretrained(folder, backend="pil")  # the resize it learned with
model = AutoModelForImageTextToText.from_pretrained(folder, dtype="{dtype}")
clip = open_clip("street.mp4", processor.num_frames)
question = "{question}"
content = [{{"type": "image"}}, {{"type": "text", "text": question}}]  # a clip as if a picture
text = processor.apply_chat_template(
    [{{"role": "user", "content": content}}], add_generation_prompt=True, tokenize=False
)
inputs = processor(videos=[clip.frames], text=text, return_tensors="pt")
inputs = inputs.to(model.device, model.dtype)
tokens = model.generate(**inputs)[0, inputs["input_ids"].shape[1]:]
answer = processor.decode(tokens, skip_special_tokens={words}).strip()
"""

ASK_LOCVLM = """\
import locvlm

model = locvlm.load("{title}")  # this folder
print(model.locate("{file}", "dog").box)  # in pixels of {file}
print(model.ask("{file}", "{question}"))
"""

PARSE_LOCVLM = """\
from locvlm import coordinates

speech = coordinates.get({format})
places = speech.parse(answer, speech.frame_on(processor, picture.size))
"""

_FOUND = r"""
import re

def boxes(answer, width, height):
    places = re.findall(r'{pattern}', answer)
"""
_SWAPPED = "    places = [(x1, y1, x2, y2) for y1, x1, y2, x2 in places]\n"

STRETCHED = """\
    return [
        [{number} / {edge} * size for number, size in zip(place, (width, height) * 2)]
        for place in places
    ]
"""

PADDED = """\
    side = max(width, height)  # of the square; the picture lies in its middle
    edges = [((side - width) // 2, width), ((side - height) // 2, height)] * 2
    return [
        [min(max({number} / {edge} * side - border, 0), size)
         for number, (border, size) in zip(place, edges)]
        for place in places
    ]
"""


def resizing_of(processor: Any) -> tuple[Resizing, Size]:
    """How the model sees a picture, and the (width, height) of what it sees, in pixels.

    "stretched": all of it, on one size. "padded": on a square, centred. "other": neither.
    """
    try:
        frames = [frame_of(processor, size) for size in SHAPES]
    except InputError:
        return "other", (0, 0)
    seen = frames[0].model
    if all(_same(frame, Frame.resize(frame.original, seen)) for frame in frames):
        return "stretched", seen
    if all(_same(frame, Frame.pad_to_square(frame.original, seen[0])) for frame in frames):
        return "padded", seen
    return "other", seen


def reading(videos: bool) -> dict[str, str]:
    """How plain transformers loads a processor, for `ASK`; `videos`: it has a part for these."""
    classes = "AutoModelForImageTextToText, AutoProcessor"
    if videos:
        return {"classes": f"AutoImageProcessor, {classes}", "processor": _READ_VIDEOS}
    return {"classes": classes, "processor": _READ}


def locate_question(coordinate_format: CoordinateFormat) -> str:
    """The question of `Predictor.locate` about a dog."""
    return WHERE.format(category="dog", repr=coordinate_format.repr_of(coordinate_format.kinds[0]))


def edge_of(coordinate_format: CoordinateFormat) -> float | None:
    """The number of the right and bottom edges; None where numbers are no shares of a side."""
    if not isinstance(coordinate_format, Dialect):
        return (
            coordinate_format.extent(Frame.identity(EXAMPLE_SIZE))[0]
            if coordinate_format.name in PLAIN
            else None
        )
    of_cells = type(coordinate_format).values_of is not CoordinateFormat.values_of
    return (
        None if of_cells else getattr(coordinate_format, "scale", None)
    )  # Qwen2.5-VL's are pixels


def plain_parser(coordinate_format: CoordinateFormat, view: Resizing) -> str | None:
    """Python of a function ``boxes(answer, width, height)``; None where it takes more than that."""
    edge = edge_of(coordinate_format)
    whole = coordinate_format.relative_to == "image" or view == "stretched"
    if edge is None or "box" not in coordinate_format.kinds or not (whole or view == "padded"):
        return None
    found = _FOUND.lstrip().format(pattern=_pattern(coordinate_format))
    swapped = _SWAPPED if coordinate_format.order == "yx" else ""
    number = (
        f"(float(number) + {coordinate_format.read_at:g})"
        if coordinate_format.read_at
        else "float(number)"
    )
    rest = (STRETCHED if whole else PADDED).format(edge=f"{edge:g}", number=number)
    return found + swapped + rest


def _pattern(coordinate_format: CoordinateFormat) -> str:
    """The box of a format without special tokens around it, a group for every number."""
    body = (
        coordinate_format.forms["box"].body
        if isinstance(coordinate_format, Dialect)
        else "({},{},{},{})"
    )
    return re.escape(body).replace(r"\{\}", _NUMBER).replace(r"\ ", r"\s*")


def encode_example(
    coordinate_format: CoordinateFormat, frame: Frame
) -> tuple[str, tuple[float, ...]]:
    """A box as text, and what that text says in original pixels of `frame`."""
    text = coordinate_format.encode(EXAMPLE_BOX, frame)
    (box,) = coordinate_format.parse(text, frame)
    return text, tuple(round(number, 2) for number in coords_of(box))


def _same(a: Frame, b: Frame) -> bool:
    pairs = zip((*a.scale, *a.offset), (*b.scale, *b.offset), strict=True)
    return a.model == b.model and all(math.isclose(x, y, abs_tol=1e-9) for x, y in pairs)
