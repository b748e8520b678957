"""Views from the pixels to the text: what is asked is about what is shown, where it is shown."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from locvlm import coordinates
from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.geometry import Box, Frame, coords_of
from locvlm.instructions.base import Conversation
from locvlm.instructions.build import Settings, ask, planned
from locvlm.instructions.objectives import names
from locvlm.models.load import Loaded
from locvlm.training.augment import Augment, Color, Crop
from locvlm.training.collator import IGNORED, Collator, Encoded
from locvlm.training.pictures import Origin
from locvlm.training.visits import Visit, Visits
from tests import families

CATEGORIES = ("dog", "cat", "cup", "bus")
ALL = dict.fromkeys(names(), 9)
PARTS = Augment(crop=Crop(area=(0.1, 1.0), share=1.0))
COLORED = Augment(crop=Crop(area=(0.1, 1.0), share=1.0), color=Color(share=1.0))


def origin(image: AnnotatedImage, *objectives: str) -> Origin:
    data = AnnotationSet([image], CATEGORIES, Path("some.json"))
    return Origin(image, planned(data, Settings(objectives=objectives or tuple(names()))))


def visits(
    image: AnnotatedImage,
    augment: Augment = PARTS,
    folder: Path = Path("/pictures"),
    questions: dict[str, int] = ALL,
    **options: Any,
) -> Visits:
    """Of one picture, all of which may be asked about."""
    found = origin(image, *questions)
    items = ask(found.plan, image, 0, questions)
    whole = Conversation(str(folder / image.file_name), image.width, image.height, items)
    return Visits([whole], questions, 99, augment=augment, origins=[found], **options)


def some(*objects: Object, **others: Any) -> AnnotatedImage:
    return AnnotatedImage(1, "1.png", 200, 100, objects, **others)


def texts(visit: Visit) -> list[str]:
    return [f"{item.question} {item.answer}" for item in visit.conversation.instructions]


DOG, CAT = Object("dog", Box(20, 10, 60, 70)), Object("cat", Box(120, 30, 190, 90))


# Boxes against pixels


@st.composite
def marked(draw: st.DrawFn) -> tuple[tuple[int, int], Box]:
    """The size of a picture, and a box of whole pixels in it."""
    size = draw(st.tuples(st.integers(24, 200), st.integers(24, 200)))
    edges = []
    for side in size:
        low = draw(st.integers(0, side - 12))
        edges.append((low, draw(st.integers(low + 12, side))))
    return size, Box(edges[0][0], edges[1][0], edges[0][1], edges[1][1])


@pytest.mark.parametrize("name", ["tiny", "llava"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=marked(), seed=st.integers(0, 10**6))
def test_what_is_written_is_where_the_pixels_are(
    name: str, small_model: Loaded, tmp_path: Path, case: tuple[tuple[int, int], Box], seed: int
) -> None:
    """A red box in a gray picture: cut, turned to another light, mirrored, resized and read."""
    size, box = case
    picture = Image.new("RGB", size, (90, 90, 90))
    picture.paste((230, 60, 60), tuple(map(int, coords_of(box))))
    picture.save(tmp_path / "1.png")
    image = AnnotatedImage(1, "1.png", *size, (Object("dog", box),))
    processor = small_model.processor if name == "tiny" else families.build("llava")[1]
    collator = Collator(processor, coordinates.get("ivb", bins=56))
    plan = visits(image, COLORED, tmp_path, {"locpred": 1, "negpred": 9}, seed=seed)
    for number in range(4):
        visit = plan.visit(number)
        view = visit.open(None)
        part = visit.conversation
        assert view.size == (part.width, part.height)
        encoded = collator.encode(part, view, flipped=visit.flipped)
        answers = {a for a in learned(collator, encoded) if a.startswith("It is located")}
        if answers:
            frame = Frame.from_processor(processor, view.size)
            pixels = shown(processor, encoded.picture["pixel_values"][0].numpy())
            check_place(pixels, view, answers.pop(), frame)
        elif any("dog" in text for text in texts(visit)):  # "There is no such object in the image"
            assert redness(channels(view)).max() < 0.02
        else:
            assert 0 < (redness(channels(view)) > 0.02).sum() < 0.5 * box.area


def shown(processor: Any, values: np.ndarray) -> np.ndarray:
    """(3, H, W) from 0 to 1, of values that the processor has scaled."""
    settings = processor.image_processor
    mean, deviation = (np.reshape(v, (3, 1, 1)) for v in (settings.image_mean, settings.image_std))
    return np.asarray(values * deviation + mean)


def learned(collator: Collator, encoded: Encoded) -> Iterator[str]:
    decode = collator.processor.tokenizer.decode
    start = encoded.prefix
    for length in encoded.lengths:
        ids = encoded.input_ids[start : start + length]
        yield decode(ids[encoded.labels[start : start + length] != IGNORED])
        start += length


def check_place(pixels: np.ndarray, view: Image.Image, answer: str, frame: Frame) -> None:
    """The numbers of an answer are the edges of what is red, within a bin and what resizing blurs.

    Args:
        pixels: (3, H, W) from 0 to 1, as the model sees them.
        view: from which the processor made them.
        answer: with the numbers x1, y1, x2, y2, in 56 bins.
        frame: from the view to these pixels.
    """
    numbers = np.array([int(number) for number in re.findall(r"\d+", answer)[:4]])
    sides = np.array([pixels.shape[2], pixels.shape[1]] * 2)
    told = numbers / 56 * sides
    seen = redness(pixels) > 0.4 * redness(channels(view)).max()
    columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
    if not seen.any():  # the processor cuts pictures, too
        assert np.isclose(told[:2], told[2:], atol=2).any()
        return
    found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    blurred = 1 + np.array(frame.scale * 2)  # pixels: one of the view's, one of the model's
    assert (np.abs(told - found) <= blurred + sides / 56).all(), (told, found)


def channels(view: Image.Image) -> np.ndarray:
    """(3, H, W) from 0 to 1."""
    return np.moveaxis(np.asarray(view) / 255, -1, 0)


def redness(pixels: np.ndarray) -> np.ndarray:
    """(H, W) of pixels (3, H, W): 0 where they are gray."""
    return np.asarray(pixels[0] - pixels[1:].mean(0))
