"""What a card shows to copy: how to ask, and how numbers in an answer become pixels."""

from __future__ import annotations

import math
from typing import Any, Literal

from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, Size, coords_of
from locvlm.inference.predictor import WHERE

View = Literal["stretched", "padded", "other"]
SHAPES: tuple[Size, ...] = ((640, 480), (480, 640), (333, 500))  # pictures to try a processor on
EXAMPLE_SIZE: Size = (640, 480)
EXAMPLE_BOX = Box(12, 111, 37, 135)  # original pixels of a picture of that size
PLAIN = ("ivb", "nfp")  # formats whose numbers are shares of the model's picture, x first

ASK = """\
from PIL import Image, ImageOps
from transformers import AutoModelForImageTextToText, AutoProcessor

folder = "{title}"  # this folder, or its id on the Hub
processor = AutoProcessor.from_pretrained(folder, backend="pil")  # the resize it learned with
model = AutoModelForImageTextToText.from_pretrained(folder, dtype="{dtype}")
picture = ImageOps.exif_transpose(Image.open("street.jpg")).convert("RGB")
question = "{question}"
content = [{{"type": "image", "image": picture}}, {{"type": "text", "text": question}}]
inputs = processor.apply_chat_template(
    [{{"role": "user", "content": content}}],
    add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
).to(model.device, model.dtype)
tokens = model.generate(**inputs)[0, inputs["input_ids"].shape[1]:]
answer = processor.decode(tokens, skip_special_tokens=True).strip()
"""

ASK_LOCVLM = """\
import locvlm

model = locvlm.load("{title}")  # this folder
print(model.locate("street.jpg", "dog").box)  # in pixels of street.jpg
print(model.ask("street.jpg", "{question}"))
"""

PARSE_LOCVLM = """\
from locvlm import coordinates
from locvlm.geometry import Frame

speech = coordinates.get({format})
places = speech.parse(answer, Frame.from_processor(processor, picture.size))
"""

_FOUND = r"""
import re

def boxes(answer, width, height):
    places = re.findall(r"\(([\d.]+),([\d.]+),([\d.]+),([\d.]+)\)", answer)
"""

STRETCHED = (
    _FOUND.lstrip()
    + """\
    return [
        [float(number) / {edge} * size for number, size in zip(place, (width, height) * 2)]
        for place in places
    ]
"""
)

PADDED = (
    _FOUND.lstrip()
    + """\
    side = max(width, height)  # of the square; the picture lies in its middle
    edges = [((side - width) // 2, width), ((side - height) // 2, height)] * 2
    return [
        [min(max(float(number) / {edge} * side - border, 0), size)
         for number, (border, size) in zip(place, edges)]
        for place in places
    ]
"""
)


def view_of(processor: Any) -> tuple[View, Size]:
    """How the model sees a picture, and the (width, height) of what it sees, in pixels.

    "stretched": all of it, on one size. "padded": on a square, centred. "other": neither.
    """
    try:
        frames = [Frame.from_processor(processor, size) for size in SHAPES]
    except InputError:
        return "other", (0, 0)
    seen = frames[0].model
    if all(_same(frame, Frame.resize(frame.original, seen)) for frame in frames):
        return "stretched", seen
    if all(_same(frame, Frame.pad_to_square(frame.original, seen[0])) for frame in frames):
        return "padded", seen
    return "other", seen


def where(speech: CoordinateFormat) -> str:
    """The question of `Predictor.locate` about a dog."""
    return WHERE.format(category="dog", repr=speech.repr_of("box"))


def plain_parser(speech: CoordinateFormat, view: View) -> str | None:
    """Python of a function ``boxes(answer, width, height)``; None where it takes more than that."""
    if speech.name not in PLAIN or view == "other":
        return None
    edge, _ = speech.extent(Frame.identity(EXAMPLE_SIZE))
    return {"stretched": STRETCHED, "padded": PADDED}[view].format(edge=f"{edge:g}")


def example(speech: CoordinateFormat, frame: Frame) -> tuple[str, tuple[float, ...]]:
    """A box as text, and what that text says in original pixels of `frame`."""
    text = speech.encode(EXAMPLE_BOX, frame)
    (box,) = speech.parse(text, frame)
    return text, tuple(round(number, 2) for number in coords_of(box))


def _same(a: Frame, b: Frame) -> bool:
    pairs = zip((*a.scale, *a.offset), (*b.scale, *b.offset), strict=True)
    return a.model == b.model and all(math.isclose(x, y, abs_tol=1e-9) for x, y in pairs)
