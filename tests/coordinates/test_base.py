"""What holds for every coordinate format: there and back, clipped and counted, inherited."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from locvlm import coordinates
from locvlm.coordinates import CoordinateError, CoordinateFormat
from locvlm.coordinates.ivb import IVB
from locvlm.geometry import Box, Frame, Location, Point, Size, coords_of, location_from

FORMATS: dict[str, CoordinateFormat] = {
    "nfp": coordinates.get("nfp"),
    "ivb-224": coordinates.get("ivb", bins=224),
    "ivb-1000": coordinates.get("ivb", bins=1000),
    "ivb-1": coordinates.get("ivb", bins=1),
    "diga-224": coordinates.get("diga", bins=224),
    "diga-336": coordinates.get("diga", bins=336),
    "diga-14": coordinates.get("diga", bins=14),
    "pixels": coordinates.get("pixels"),
    **{name: coordinates.get(name) for name in coordinates.dialects()},
}
FRAMES: dict[str, Callable[[Size], Frame]] = {
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
    st.sampled_from([(1, 1), (2, 1), (10000, 1), (1, 10000), (641, 427)]),
)
every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS.keys())
every_format_of_boxes = pytest.mark.parametrize(
    "fmt", [f for f in FORMATS.values() if "box" in f.kinds], ids=lambda fmt: repr(fmt)
)
every_format_of_shares = pytest.mark.parametrize(
    "fmt", [f for name, f in FORMATS.items() if name != "qwen2.5-vl"], ids=lambda fmt: repr(fmt)
)
every_frame = pytest.mark.parametrize("kind", FRAMES)


@st.composite
def placed(draw: st.DrawFn) -> tuple[Size, Location]:
    """A size, and a box or a point inside a picture of it."""
    size = draw(sizes)
    x1, x2 = sorted(draw(st.tuples(st.floats(0, size[0]), st.floats(0, size[0]))))
    y1, y2 = sorted(draw(st.tuples(st.floats(0, size[1]), st.floats(0, size[1]))))
    location: Location = Box(x1, y1, x2, y2) if draw(st.booleans()) else Point(x1, y1)
    return size, location


def seen_part(location: Location, frame: Frame) -> Location:
    """What is left of a location in the model's picture, in original pixels."""
    return frame.invert(frame.apply(location).clip(*frame.model))


def written(fmt: CoordinateFormat, location: Location) -> Location:
    """The location, or one like it of the kind that the format can write."""
    if isinstance(location, Box):
        return location if "box" in fmt.kinds else location.center
    if "point" in fmt.kinds:
        return location
    return Box(location.x, location.y, location.x, location.y)


def step(fmt: CoordinateFormat, frame: Frame) -> list[float]:
    """The smallest step that the text can make along x and y, in original pixels."""
    sizes = zip(frame.model, fmt.extent(frame), frame.scale, strict=True)
    return [model / extent / 10**fmt.decimals / scale for model, extent, scale in sizes]


# There and back


@every_format
@every_frame
@given(case=placed())
@example(case=((1, 1), Box(0, 0, 1, 1)))
@example(case=((1, 1), Point(0.5, 0.5)))
@example(case=((10000, 1), Box(0, 0, 10000, 1)))
@example(case=((10000, 1), Point(10000, 0)))
@example(case=((1, 10000), Box(1, 9999, 1, 10000)))
def test_parse_returns_what_encode_wrote(
    fmt: CoordinateFormat, kind: str, case: tuple[Size, Location]
) -> None:
    size, location = case[0], written(fmt, case[1])
    frame = FRAMES[kind](size)
    text = fmt.encode(location, frame)
    (back,) = fmt.parse(text, frame, strict=True)
    assert type(back) is type(location)
    expected = coords_of(seen_part(location, frame))
    tolerance = step(fmt, frame) * 2
    for a, b, most in zip(coords_of(back), expected, tolerance, strict=False):
        assert abs(a - b) <= most + 1e-6


@every_format
@every_frame
@given(case=placed())
def test_a_text_is_a_fixed_point(
    fmt: CoordinateFormat, kind: str, case: tuple[Size, Location]
) -> None:
    """What was read writes the same text again, in frames that show the picture only."""
    size, location = case[0], written(fmt, case[1])
    frame = FRAMES[kind](size)
    text = fmt.encode(location, frame)
    (back,) = fmt.parse(text, frame)
    again = coords_of(fmt.parse(fmt.encode(back, frame), frame)[0])
    # Parsing moves what lies in the padding onto the picture, so it is the place that is fixed.
    assert again == pytest.approx(coords_of(back), abs=2 * fmt.error * max(step(fmt, frame)) + 1e-6)
    if kind in ("identity", "resize", "resize-oblong"):
        assert fmt.encode(back, frame) == text


@every_format
def test_parsed_locations_lie_in_the_picture(fmt: CoordinateFormat) -> None:
    """A corner in the padding, or half a step outside, comes back on the picture's border."""
    size = (500, 3)
    frame = Frame.pad_to_square(size, 336)
    (place,) = fmt.parse(fmt.encode(written(fmt, Box(0, 0, 500, 3)), frame), frame)
    assert coords_of(place) == coords_of(place.clip(*size))


@every_format
def test_the_size_alone_is_the_image_itself(fmt: CoordinateFormat) -> None:
    box = written(fmt, Box(10, 120, 30, 145))
    assert fmt.encode(box, (512, 512)) == fmt.encode(box, Frame.identity((512, 512)))


@every_format
def test_name_and_options_get_the_same_format(fmt: CoordinateFormat) -> None:
    assert coordinates.get(fmt.name, **fmt.options) == fmt


@pytest.mark.parametrize("name", ["diga", "ivb", "nfp", "pixels"])
def test_a_format_of_no_family_is_about_the_image_itself(name: str) -> None:
    assert coordinates.get(name).frame((640, 427)) == Frame.identity((640, 427))


@every_format_of_shares
@given(case=placed())
def test_a_squash_changes_no_text(fmt: CoordinateFormat, case: tuple[Size, Location]) -> None:
    """All but pixels are relative to the model's picture, so its size cancels out."""
    size, location = case[0], written(fmt, case[1])
    squashed = fmt.parse(fmt.encode(location, Frame.resize(size, 256)), size)[0]
    assert coords_of(squashed) == pytest.approx(
        coords_of(seen_part(location, Frame.identity(size))),
        abs=fmt.error * max(step(fmt, Frame.identity(size))) + 1e-6,
    )


# Clipped and counted


@every_format_of_boxes
def test_encode_clips_and_counts_what_the_model_cannot_see(fmt: CoordinateFormat) -> None:
    fmt = coordinates.get(fmt.name, **fmt.options)  # fresh counts
    frame = Frame.center_crop((400, 200), 100, 100)  # the middle 200 x 200
    assert fmt.encode(Box(0, 0, 300, 200), frame) == fmt.encode(Box(100, 0, 300, 200), frame)
    assert fmt.counts == {"encode_clipped": 1}
    gone = fmt.encode(Box(0, 0, 50, 200), frame)  # nothing of it is seen: the border
    assert coords_of(fmt.parse(gone, frame, strict=True)[0])[0] == pytest.approx(100, abs=1)
    assert fmt.counts["encode_clipped"] == 2


@pytest.mark.parametrize(
    ("fmt", "text", "expected"),
    [
        ("ivb-224", "(-5,0,300,224)", Box(0, 0, 512, 256)),
        ("ivb-224", "(0,225)", Point(0, 256)),
        ("nfp", "(0.5,-0.25,1.5,1.0)", Box(256, 0, 512, 256)),
        ("diga-224", "(0,0,100,7,7,300)", Box(0, 0, 32, 256)),
    ],
)
def test_out_of_range_is_clipped_and_counted(fmt: str, text: str, expected: Location) -> None:
    form = coordinates.get(FORMATS[fmt].name, **FORMATS[fmt].options)
    report = form.parse_report(text, (512, 256))
    assert report.locations == [expected]
    assert (report.n_clipped, report.n_malformed) == (1, 0)
    assert form.counts == {"parse_clipped": 1, "parse_malformed": 0}
    with pytest.raises(CoordinateError):
        form.parse(text, (512, 256), strict=True)


def test_far_into_the_padding_is_clipped_and_counted_half_a_step_is_not() -> None:
    ivb = coordinates.get("ivb", bins=224)
    frame = Frame.pad_to_square((400, 200), 224)  # the picture is bins 56 ... 168 of y
    far = ivb.parse_report("(0,0,224,168)", frame)
    assert coords_of(far.locations[0]) == pytest.approx((0, 0, 400, 200))
    assert far.n_clipped == 1
    uneven = Frame.pad_to_square((400, 201), 224)  # its border is no whole number of bins
    text = ivb.encode(Box(0, 0, 400, 201), uneven)
    assert ivb.parse_report(text, uneven).n_clipped == 0


# What a format inherits


def test_a_format_must_say_where_its_scale_ends() -> None:
    with pytest.raises(TypeError, match="extent"):
        CoordinateFormat()  # type: ignore[abstract]


def test_a_format_may_write_y_first() -> None:
    class YX(IVB):
        order = "yx"

    fmt = YX(bins=512)
    assert fmt.encode(Box(10, 120, 30, 145), (512, 512)) == "(120,10,145,30)"
    assert fmt.parse("(120,10,145,30)", (512, 512)) == [Box(10, 120, 30, 145)]
    assert fmt.parse("(132,20)", (512, 512)) == [Point(20, 132)]


def test_how_the_prompt_names_the_format() -> None:
    assert FORMATS["ivb-224"].repr_of("box") == "(x1,y1,x2,y2) bbox"
    assert FORMATS["ivb-224"].repr_of("point") == "(cx,cy) point"
    with pytest.raises(ValueError, match="'box' or 'point'"):
        FORMATS["ivb-224"].repr_of("circle")  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(0, 512), (512, 0)])
def test_a_picture_has_a_size(size: Size) -> None:
    with pytest.raises(ValueError, match="size"):
        FORMATS["ivb-224"].parse("(1,2)", size)
    with pytest.raises(ValueError, match="size"):
        FORMATS["ivb-224"].encode(location_from((1, 2)), size)
