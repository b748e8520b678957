"""What is drawn is what the family's processor really shows, with boxes where the object is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locvlm import coordinates
from locvlm.geometry import Box, Frame, coords_of
from locvlm.inspection.drawing import draw_sample
from locvlm.inspection.inspect import inspect_conversations
from locvlm.inspection.seen_image import LONGEST, see
from locvlm.instructions.base import Conversation, Instruction
from locvlm.media.clips import Clip
from locvlm.processors import frame_of
from tests import families

TILED = {"idefics3", "internvl", "llava_next", "smolvlm"}
SIZES = [(640, 427), (333, 500), (150, 140)]


def marked(size: tuple[int, int], box: Box) -> Image.Image:
    """A black picture with a green object."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2), 1] = 255
    return Image.fromarray(pixels)


def green_box(image: Image.Image) -> tuple[float, ...]:
    pixels = np.asarray(image.convert("RGB"), np.float32) / 255
    green = np.maximum(pixels[..., 1] - pixels[..., 0], 0)
    rows, columns = green.max(1), green.max(0)
    ys, xs = np.flatnonzero(rows > 0.5), np.flatnonzero(columns > 0.5)
    return (xs[0], ys[0], xs[-1] + 1, ys[-1] + 1)


@pytest.mark.parametrize("name", families.names())
@pytest.mark.parametrize("size", SIZES)
def test_a_box_is_drawn_around_its_object(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    """Whatever numbers the family writes: pixels, thousandths or bins."""
    width, height = size
    box = Box(width * 3 // 8, height * 7 // 16, width * 9 // 16, height * 5 // 8)
    marked(size, box).save(tmp_path / "1.png")
    processor = families.build(name)[1]
    spoken = coordinates.default_for(processor)
    item = Instruction("locpred", "Where is the dog?", "{loc}", (box,))
    conversation = Conversation("1.png", width, height, (item,))
    (sample,) = inspect_conversations([conversation], tmp_path, processor, spoken)
    seen = sample.image_frame.apply(box)
    assert isinstance(seen, Box)
    # to a pixel: the edge of the object lies inside one
    assert green_box(sample.image) == pytest.approx(coords_of(seen), abs=1.01)
    assert sample.image.size == sample.image_frame.model
    (question,) = sample.questions
    assert question.deviation is not None
    assert question.deviation < 0.05 * max(size)
    if name not in TILED:
        assert not sample.tiles
        assert sample.image_frame.model == frame_of(processor, size).model
    draw_sample(sample)


@pytest.mark.parametrize("name", sorted(TILED & set(families.names())))
def test_of_tiles_the_original_is_drawn_with_what_each_covers(name: str) -> None:
    seen = see(families.build(name)[1], Image.new("RGB", (640, 427), "red"))
    assert seen.image.size == (640, 427)
    assert len(seen.tiles) > 1
    covered = np.zeros((427, 640), bool)
    for tile in seen.tiles:
        assert isinstance(tile, Box)
        x1, y1, x2, y2 = (round(v) for v in coords_of(tile))
        covered[y1:y2, x1:x2] = True
    assert covered.mean() > 0.95


def test_a_large_original_is_shrunk() -> None:
    seen = see(families.build("internvl")[1], Image.new("RGB", (2688, 1000)))
    assert seen.image.size == (LONGEST, 500)
    assert seen.frame == Frame.resize((2688, 1000), (LONGEST, 500))


def test_a_clip_is_drawn_as_the_mean_of_its_frames() -> None:
    frames = tuple(Image.new("RGB", (60, 40), color) for color in ("black", "white"))
    clip = Clip(frames, (0.0, 1.0))
    image = see(families.build("florence_2")[1], clip).image
    assert image.getpixel((30, 30)) == (128, 128, 128)
