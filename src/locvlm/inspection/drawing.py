"""Draws an inspected sample: the model's picture on the left, its tokens on the right."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from locvlm.geometry import Box, Frame, Location, coords_of
from locvlm.inspection.sample import InspectedQuestion, InspectedSample, InspectedToken

SIDE = 672  # pixels that the longer side of the model's picture is enlarged to, by whole steps
TEXT_WIDTH = 760
SHOWN = 10  # questions drawn per sample; boxes of more could not be told apart
FONT_SIZE, LINE, MARGIN = 15, 22, 16

ANNOTATED, DECODED = "#18a558", "#e0218a"
IN_LOSS, OUT_OF_LOSS, INK, GREY = "#ffd84d", "#eeeeee", "#111111", "#6b6b6b"


def draw_sample(sample: InspectedSample) -> Image.Image:
    """One PNG-ready picture of a sample with its first `SHOWN` questions."""
    questions = sample.questions[:SHOWN]
    left = _draw_image(sample, questions)
    height = _write_text(ImageDraw.Draw(Image.new("RGB", (1, 1))), sample, questions, 0)
    size = (left.width + TEXT_WIDTH + 3 * MARGIN, max(left.height, height) + 2 * MARGIN)
    sheet = Image.new("RGB", size, "white")
    sheet.paste(left, (MARGIN, MARGIN))
    _write_text(ImageDraw.Draw(sheet), sample, questions, left.width + 2 * MARGIN)
    return sheet


def _draw_image(sample: InspectedSample, questions: tuple[InspectedQuestion, ...]) -> Image.Image:
    """The model's picture enlarged, with annotated and decoded locations."""
    zoom = max(1, SIDE // max(sample.image.size))
    size = (sample.image.width * zoom, sample.image.height * zoom)
    image = sample.image.resize(size, Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(image)
    for tile in sample.tiles:
        _draw_location(pen, tile, sample.image_frame, zoom, GREY, 1)
    for number, question in enumerate(questions, 1):
        for place in question.instruction.locations:
            _draw_location(pen, place, sample.image_frame, zoom, ANNOTATED, 5)
        for place in question.decoded:
            x, y = _draw_location(pen, place, sample.image_frame, zoom, DECODED, 2)
            pen.text(
                (x + 4, y + 2), f"{number}", DECODED, _font(20), stroke_width=3, stroke_fill="white"
            )
    return image


def _draw_location(
    pen: ImageDraw.ImageDraw, location: Location, frame: Frame, zoom: int, colour: str, width: int
) -> tuple[float, float]:
    """Draw a location given in original pixels; the corner where its number goes."""
    seen = frame.apply(location)
    coords = [value * zoom for value in coords_of(seen)]
    if isinstance(seen, Box):
        pen.rectangle(coords, outline=colour, width=width)
    else:
        x, y = coords
        pen.line((x - 9, y, x + 9, y), colour, width)
        pen.line((x, y - 9, x, y + 9), colour, width)
    return coords[0], coords[1]


def _write_text(
    pen: ImageDraw.ImageDraw,
    sample: InspectedSample,
    questions: tuple[InspectedQuestion, ...],
    left: int,
) -> int:
    """Write legend and tokens from x = `left`; the y where they end."""
    y = MARGIN
    for colour, text in (
        (ANNOTATED, "annotated box or point"),
        (DECODED, "decoded from the tokens, with the number of its question"),
        (IN_LOSS, "token that the loss looks at"),
        (OUT_OF_LOSS, "token that the loss ignores"),
    ):
        pen.rectangle((left, y + 3, left + 14, y + 17), fill=colour)
        pen.text((left + 22, y), text, INK, _font())
        y += LINE
    y += LINE // 2
    pen.text((left, y), _escape_newlines(sample.prefix), GREY, _font())
    y += LINE
    for number, question in enumerate(questions, 1):
        y += LINE // 2
        pen.text((left, y), f"{number}  {_format_headline(question)}", INK, _font())
        y = _write_tokens(pen, question.tokens, left, y + LINE)
    more = len(sample.questions) - len(questions)
    if more:
        pen.text((left, y + LINE // 2), f"and {more} more questions", GREY, _font())
        y += 2 * LINE
    return y


def _format_headline(question: InspectedQuestion) -> str:
    name = question.instruction.objective
    if question.deviation is None:
        places = len(question.instruction.locations)
        return f"{name}: {len(question.decoded)} of {places} locations decoded"
    if question.instruction.locations:
        return f"{name}: decoded within {question.deviation:.2f} original pixels"
    return name


def _write_tokens(
    pen: ImageDraw.ImageDraw, tokens: tuple[InspectedToken, ...], left: int, y: int
) -> int:
    """Write tokens as chips, line after line; the y below the last line."""
    x = float(left)
    for token in tokens:
        text = _escape_newlines(token.text)
        width = pen.textlength(text, _font()) + 3
        if x + width > left + TEXT_WIDTH:
            x, y = float(left), y + LINE
        pen.rectangle(
            (x, y, x + width - 2, y + LINE - 3), IN_LOSS if token.in_loss else OUT_OF_LOSS
        )
        pen.text((x + 1, y + 1), text, INK if token.in_loss else GREY, _font())
        x += width
    return y + LINE


def _escape_newlines(text: str) -> str:
    return text.replace("\n", "\\n")


def _font(size: int = FONT_SIZE) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
