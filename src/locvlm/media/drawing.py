"""Boxes and points drawn on a picture or on the frames of a clip, readable at any size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from PIL import Image, ImageColor, ImageDraw, ImageFont

from locvlm.geometry import Box, Location, Point, Size, coords_of
from locvlm.media.clips import Clip
from locvlm.media.images import open_image
from locvlm.media.opening import View

Font: TypeAlias = ImageFont.ImageFont | ImageFont.FreeTypeFont
Mark: TypeAlias = tuple[Location, str, str]  # location in the picture's pixels, label, colour

COLUMNS, GAP = 4, 4  # frames of a clip in a row; pixels between them


def draw(view: View, marks: Iterable[Mark]) -> Image.Image:
    """A copy with marks; the frames of a clip beside each other, all with the same marks."""
    marks = list(marks)
    if not isinstance(view, Clip):
        return _draw_on(view, marks)
    if all(frame is view.frames[0] for frame in view.frames):  # it stands still
        return _draw_on(view.frames[0], marks)
    columns = min(COLUMNS, len(view.frames))
    rows = -(-len(view.frames) // columns)
    width, height = view.size[0] + GAP, view.size[1] + GAP
    sheet = Image.new("RGB", (columns * width - GAP, rows * height - GAP), "white")
    for number, frame in enumerate(view.frames):
        row, column = divmod(number, columns)
        sheet.paste(_draw_on(frame, marks), (column * width, row * height))
    return sheet


def _draw_on(image: Image.Image, marks: Iterable[Mark]) -> Image.Image:
    """An RGB copy of `image`, as displayed, with each location in its colour and its label beside.

    Lines and letters grow with the picture. What reaches out of it is drawn at its border, and
    labels stay inside. An empty label draws none; colours are what Pillow knows ("#e6194b", "red").
    """
    copy = open_image(image).copy()
    pen = ImageDraw.Draw(copy)
    thick, letters = _scale(copy.size)
    shapes = [
        (location.clip(*copy.size), " ".join(label.split()), colour)
        for location, label, colour in marks
    ]
    for shape, _, colour in shapes:
        _outline(pen, shape, colour, thick, copy.size)
    for shape, label, colour in shapes:  # over all lines
        if label:
            font = _fitting_font(pen, label, letters, copy.width - 2 * thick)
            _label(pen, shape, label, colour, font, thick, copy.size)
    return copy


def _scale(size: Size) -> tuple[int, int]:
    """Line width and letter height in pixels."""
    side = (size[0] * size[1]) ** 0.5
    return max(1, round(side / 150)), max(9, round(side / 28))


def _outline(pen: ImageDraw.ImageDraw, shape: Location, colour: str, thick: int, of: Size) -> None:
    if isinstance(shape, Point):
        radius = 2 * thick
        disc = (shape.x - radius, shape.y - radius, shape.x + radius, shape.y + radius)
        pen.ellipse(disc, fill=colour, outline=_contrast(colour), width=max(1, thick // 2))
        return
    # Pillow's corners are pixels that are painted: the box ends before x2, y2
    left, top = min(shape.x1, of[0] - 1), min(shape.y1, of[1] - 1)
    right, bottom = max(left, shape.x2 - 1), max(top, shape.y2 - 1)
    pen.rectangle((left, top, right, bottom), outline=colour, width=thick)


def _fitting_font(pen: ImageDraw.ImageDraw, label: str, letters: int, width: int) -> Font:
    """Letters of the wanted height, smaller where the label would be wider than `width` pixels."""
    needed = pen.textlength(label, font=ImageFont.load_default(size=letters))
    return ImageFont.load_default(size=max(1, int(letters * min(1.0, width / needed))))


def _label(
    pen: ImageDraw.ImageDraw,
    shape: Location,
    label: str,
    colour: str,
    font: Font,
    thick: int,
    of: Size,
) -> None:
    """Above the location where there is room, else inside the picture just below its top."""
    left, top, right, bottom = pen.textbbox((0, 0), label, font=font)
    width, height = right - left + 2 * thick, bottom - top + 2 * thick
    anchor_x, anchor_y = coords_of(shape)[:2]
    gap = 0 if isinstance(shape, Box) else 3 * thick  # a point's disc stays visible
    above = anchor_y - height - gap
    x = max(0, min(anchor_x, of[0] - width))
    y = max(0, min(above if above >= 0 else anchor_y + gap, of[1] - height))
    pen.rectangle((x, y, x + width - 1, y + height - 1), fill=colour)
    pen.text((x + thick - left, y + thick - top), label, font=font, fill=_contrast(colour))


def _contrast(colour: str) -> str:
    """Black on light colours, white on dark ones."""
    red, green, blue = ImageColor.getrgb(colour)[:3]
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "white"
