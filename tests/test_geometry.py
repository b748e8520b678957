"""Boxes, IoU and frames; frames also against what real processors do to pixels."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, Location, Point, as_frame, coords_of, iou, location_from
from locvlm.processors import frame_of

Maker = Callable[[tuple[int, int]], Frame]
FRAMES: dict[str, Maker] = {
    "identity": Frame.identity,
    "resize": lambda size: Frame.resize(size, 224),
    "resize-oblong": lambda size: Frame.resize(size, (640, 384)),
    "pad-to-square": lambda size: Frame.pad_to_square(size, 336),
    "center-crop": lambda size: Frame.center_crop(size, 224, 224),
    "center-crop-odd": lambda size: Frame.center_crop(size, 256, (225, 223)),
    "center-crop-padded": lambda size: Frame.center_crop(size, 100, 224),
}
sizes = st.one_of(
    st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
    st.sampled_from([(1, 1), (10000, 1), (1, 10000), (2, 1), (641, 427)]),
)


@st.composite
def placed(draw: st.DrawFn) -> tuple[tuple[int, int], Location]:
    """A size, and a box or a point inside a picture of it."""
    size = draw(sizes)
    x = sorted(draw(st.lists(st.floats(0, size[0]), min_size=2, max_size=2)))
    y = sorted(draw(st.lists(st.floats(0, size[1]), min_size=2, max_size=2)))
    return size, draw(st.sampled_from([Box(x[0], y[0], x[1], y[1]), Point(x[0], y[0])]))


# Boxes and points


def test_box_from_xywh_and_its_measures() -> None:
    box = Box.from_xywh(10, 120, 20, 25)
    assert coords_of(box) == (10, 120, 30, 145)
    assert (box.width, box.height, box.area) == (20, 25, 500)
    assert box.center == Point(20, 132.5)


def test_coordinates_become_plain_floats() -> None:
    box = Box(np.float32(1), np.int64(2), 3, True + 1)
    assert [type(v) for v in coords_of(box)] == [float] * 4


@pytest.mark.parametrize("coords", [(3, 0, 2, 1), (0, 3, 1, 2), (0, 0, math.nan, 1), (0,) * 4])
def test_box_refuses_swapped_and_not_finite(coords: tuple[float, ...]) -> None:
    if coords == (0, 0, 0, 0):
        assert Box(*coords).area == 0  # no area is fine
        return
    with pytest.raises(ValueError, match="swapped|finite"):
        Box(*coords)


@pytest.mark.parametrize("x", [math.inf, -math.inf, math.nan])
def test_point_refuses_not_finite(x: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Point(x, 0)


def test_clip_keeps_what_is_inside() -> None:
    assert Box(-5, 2, 30, 40).clip(20, 10) == Box(0, 2, 20, 10)
    assert Box(30, 30, 40, 40).clip(20, 10) == Box(20, 10, 20, 10)
    assert Point(-1, 11).clip(20, 10) == Point(0, 10)
    assert math.copysign(1, Point(-0.0, 0).clip(5, 5).x) == 1


@given(placed())
def test_flip_twice_is_the_same(case: tuple[tuple[int, int], Location]) -> None:
    size, location = case
    assert coords_of(location.flip(size[0]).flip(size[0])) == pytest.approx(
        coords_of(location), abs=1e-9
    )


def test_overlaps_is_to_share_an_area() -> None:
    box = Box(10, 10, 20, 20)
    assert box.overlaps(box)
    assert box.overlaps(Box(0, 0, 10.1, 10.1))
    assert box.overlaps(Box(12, 12, 14, 14))
    for beside in (Box(0, 0, 10, 20), Box(20, 10, 30, 20), Box(10, 20, 20, 30), Box(0, 0, 5, 5)):
        assert not box.overlaps(beside)
        assert not beside.overlaps(box)


def test_a_window_shows_its_pixels_as_they_are() -> None:
    frame = Frame.window((100, 50), Box(20, 10, 60, 40))
    assert frame.model == (40, 30)
    assert frame.apply(Box(25, 5, 70, 20)) == Box(5, -5, 50, 10)
    assert frame.invert(Point(0, 0)) == Point(20, 10)


@pytest.mark.parametrize("box", [Box(-1, 0, 5, 5), Box(0, 0, 101, 5), Box(0, 0.5, 5, 5)])
def test_a_window_is_whole_pixels_of_the_picture(box: Box) -> None:
    with pytest.raises(ValueError, match="not whole pixels of a picture of"):
        Frame.window((100, 50), box)


def test_flip_moves_left_to_right() -> None:
    assert Box(10, 120, 30, 145).flip(512) == Box(482, 120, 502, 145)
    assert Point(20, 132.5).flip(512) == Point(492, 132.5)


def test_location_from_two_or_four_numbers() -> None:
    assert location_from([1, 2]) == Point(1, 2)
    assert location_from((1, 2, 3, 4)) == Box(1, 2, 3, 4)
    with pytest.raises(ValueError, match="2 or 4"):
        location_from([1, 2, 3])


# IoU


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 3), (2, 0)])
def test_iou_of_nothing_is_empty(n: int, m: int) -> None:
    assert iou(np.zeros((n, 4)), np.zeros((m, 4))).shape == (n, m)


def test_iou_takes_an_empty_list() -> None:
    assert iou([], [(0, 0, 1, 1)]).shape == (0, 1)


def test_iou_values() -> None:
    a = np.array([[0, 0, 2, 2], [5, 5, 5, 5]])
    b = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [2, 0, 4, 2], [5, 5, 5, 5]])
    expected = [[1, 1 / 3, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(iou(a, b), expected)
    assert iou(a, b).dtype == np.float64


@given(placed(), placed())
def test_iou_is_symmetric_and_within_one(
    a: tuple[tuple[int, int], Location], b: tuple[tuple[int, int], Location]
) -> None:
    boxes = [[coords_of(loc) * (4 // len(coords_of(loc)))] for _, loc in (a, b)]
    forth, back = iou(boxes[0], boxes[1]), iou(boxes[1], boxes[0])
    assert forth == back
    assert 0 <= forth[0, 0] <= 1 + 1e-9


# Frames


@pytest.mark.parametrize("kind", FRAMES)
@given(case=placed())
def test_there_and_back(kind: str, case: tuple[tuple[int, int], Location]) -> None:
    size, location = case
    frame = FRAMES[kind](size)
    back = frame.invert(frame.apply(location))
    half = [0.5 / s for s in frame.scale] * 2  # half a model pixel, in original ones
    for a, b, tolerance in zip(coords_of(location), coords_of(back), half, strict=False):
        assert abs(a - b) < min(tolerance, 1e-6)


@pytest.mark.parametrize("kind", FRAMES)
@given(size=sizes)
def test_the_middle_stays_in_the_middle(kind: str, size: tuple[int, int]) -> None:
    frame = FRAMES[kind](size)
    x, y = coords_of(frame.apply(Point(size[0] / 2, size[1] / 2)))
    # Whole-pixel rounding: half a pixel each of the padding (original ones) and of the crop.
    tolerance = [0.51 * max(1.0, s) + 0.5 for s in frame.scale]
    assert abs(x - frame.model[0] / 2) <= tolerance[0]
    assert abs(y - frame.model[1] / 2) <= tolerance[1]


def test_pad_to_square_by_hand() -> None:
    frame = Frame.pad_to_square((400, 200), 100)
    assert frame.apply(Box(0, 0, 400, 200)) == Box(0, 25, 100, 75)


def test_center_crop_by_hand() -> None:
    frame = Frame.center_crop((400, 200), 100, 100)
    assert frame.apply(Box(100, 0, 300, 200)) == Box(0, 0, 100, 100)
    assert frame.apply(Point(0, 0)) == Point(-50, 0)


def test_as_frame_takes_a_size_for_the_image_itself() -> None:
    assert as_frame((640, 480)) == Frame.identity((640, 480))
    frame = Frame.resize((640, 480), 224)
    assert as_frame(frame) is frame


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5)])
def test_a_size_must_be_positive(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="size"):
        as_frame(size)


# Frames against real processors

PROCESSORS: dict[str, tuple[str, dict[str, object]]] = {
    "clip": ("CLIPImageProcessorPil", {}),
    "clip-336": (
        "CLIPImageProcessorPil",
        {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}},
    ),
    "clip-squash": (
        "CLIPImageProcessorPil",
        {"size": {"height": 224, "width": 224}, "do_center_crop": False},
    ),
    "clip-small-resize": ("CLIPImageProcessorPil", {"size": {"shortest_edge": 101}}),
    "clip-no-resize": ("CLIPImageProcessorPil", {"do_resize": False}),
    "clip-oblong-crop": ("CLIPImageProcessorPil", {"crop_size": {"height": 120, "width": 201}}),
    "vit": ("ViTImageProcessorPil", {}),
    "bit": ("BitImageProcessorPil", {"size": {"shortest_edge": 256}}),
    "dinov2-style": (
        "BitImageProcessorPil",
        {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}},
    ),
    "siglip": ("SiglipImageProcessorPil", {"size": {"height": 384, "width": 384}}),
    "llava": ("LlavaImageProcessorPil", {}),
    "llava-pad": ("LlavaImageProcessorPil", {"do_pad": True}),
    "bounded": (
        "ViTImageProcessorPil",
        {"size": {"shortest_edge": 200, "longest_edge": 300}},
    ),
    "bounded-padded": (
        "ViTImageProcessorPil",
        {
            "size": {"shortest_edge": 200, "longest_edge": 300},
            "do_pad": True,
            "pad_size": {"height": 320, "width": 310},
        },
    ),
    "max-size": ("ViTImageProcessorPil", {"size": {"max_height": 250, "max_width": 310}}),
}
PICTURES = [(512, 512), (640, 427), (333, 500), (641, 479), (90, 71), (224, 224), (1200, 150)]


def make_processor(name: str) -> object:
    transformers = pytest.importorskip("transformers")
    cls, options = PROCESSORS[name]
    return getattr(transformers, cls)(**options)


def run_on(processor: object, picture: np.ndarray) -> np.ndarray:
    """The brightness of what the model sees, ``(h, w)``, of a grey ``(H, W)`` uint8 picture."""
    from PIL import Image

    image = Image.fromarray(np.stack([picture] * 3, axis=-1))
    out = processor(  # type: ignore[operator]
        images=image, do_normalize=False, do_rescale=False, return_tensors="np"
    )
    return np.asarray(out["pixel_values"][0, 0], dtype=np.float64)


def edges_seen(profile: np.ndarray) -> tuple[float, float]:
    """Where a bright stretch starts and ends along one axis, to parts of a pixel.

    `profile` is 1 on the stretch and 0 off it, blurred by the resampling: its sum is the length
    of the stretch, its first moment the middle.
    """
    length = float(profile.sum())
    middle = float((profile * (np.arange(len(profile)) + 0.5)).sum() / length)
    return middle - length / 2, middle + length / 2


@pytest.mark.parametrize("size", PICTURES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("name", PROCESSORS)
def test_frame_agrees_with_the_processor_on_pixels(name: str, size: tuple[int, int]) -> None:
    """A bright rectangle lands where the frame says, to a quarter of a model pixel."""
    processor = make_processor(name)
    frame = frame_of(processor, size)
    # Around the middle, so that crops keep it, but off it, so that a mirrored frame would fail.
    half = min(size) / 2
    x, y = size[0] / 2 - 0.4 * half, size[1] / 2 - 0.5 * half
    box = Box(round(x), round(y), round(x + 0.5 * half), round(y + 0.7 * half))
    picture = np.zeros((size[1], size[0]), dtype=np.uint8)
    picture[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)] = 250

    blank = run_on(processor, np.zeros_like(picture))  # its padding may have a color
    seen = run_on(processor, picture) - blank

    assert seen.shape == (frame.model[1], frame.model[0])
    expected = frame.apply(box).clip(*frame.model)
    assert isinstance(expected, Box)
    cx, cy = (int(v) for v in coords_of(expected.center))
    x1, x2 = edges_seen(seen[cy] / 250)
    y1, y2 = edges_seen(seen[:, cx] / 250)
    assert (x1, y1, x2, y2) == pytest.approx(coords_of(expected), abs=0.25)


def test_a_processor_with_an_image_processor_is_read_through() -> None:
    inner = make_processor("clip")
    outer = type("Processor", (), {"image_processor": inner})()
    size = (640, 427)
    assert frame_of(outer, size) == frame_of(inner, size)
    assert frame_of(inner, size) == Frame.center_crop(size, 224, 224)


def test_llava_pad_is_pad_to_square() -> None:
    size = (640, 427)
    frame = frame_of(make_processor("llava-pad"), size)
    expected = Frame.pad_to_square(size, 224)
    assert frame.model == expected.model
    assert frame.scale == pytest.approx(expected.scale)
    assert frame.offset == pytest.approx(expected.offset)


def test_torchvision_pads_the_smaller_half_first() -> None:
    settings = {"do_center_crop": True, "crop_size": {"height": 9, "width": 9}}
    pil = type("P", (), {**settings, "backend": "pil"})()
    torchvision = type("P", (), {**settings, "backend": "torchvision"})()
    assert frame_of(pil, (4, 4)).offset == (3, 3)
    assert frame_of(torchvision, (4, 4)).offset == (2, 2)


@pytest.mark.parametrize("name", ["ImageGPTImageProcessorPil", "ZoeDepthImageProcessorPil"])
def test_an_unknown_geometry_is_refused_not_guessed(name: str) -> None:
    transformers = pytest.importorskip("transformers")
    with pytest.raises(InputError, match=name):
        frame_of(getattr(transformers, name)(), (640, 480))


def test_a_size_without_numbers_is_refused() -> None:
    processor = type("P", (), {"do_resize": True, "size": {"height": 224}})()
    with pytest.raises(InputError, match="width"):
        frame_of(processor, (640, 480))
