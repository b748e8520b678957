"""The dialects: every family's own example, its declared properties, and what it reads."""

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm import coordinates
from locvlm.coordinates import CoordinateError
from locvlm.coordinates.dialect import Dialect
from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, Location, Point, Size, coords_of

THOUSAND = (1000, 1000)
BOX_ONLY = [name for name in coordinates.dialects() if coordinates.get(name).kinds == ("box",)]
every_dialect = pytest.mark.parametrize("name", coordinates.dialects())


def dialect(name: str, **options: Any) -> Dialect:
    found = coordinates.get(name, **options)
    assert isinstance(found, Dialect)
    return found


def some_text(spoken: Dialect, frame: Frame | Size = THOUSAND) -> str:
    place = Box(100, 200, 700, 800) if "box" in spoken.kinds else Point(400, 500)
    return spoken.encode(place, frame)


# Every family as it is documented


@pytest.mark.parametrize(
    ("name", "place", "size", "text"),
    [
        ("cogvlm", Box(34, 120, 589, 991), THOUSAND, "[[034,120,589,991]]"),
        (
            "deepseek-vl2",
            Box(580, 270, 999, 904),
            (999, 999),
            "<|det|>[[580, 270, 999, 904]]<|/det|>",
        ),
        ("ferret", Box(10.9, 20.9, 300, 400), THOUSAND, "[10, 20, 300, 400]"),
        ("ferret", Point(0.4999, 1000), THOUSAND, "[0, 1000]"),
        # Its model card: a car at [34, 160, 597, 372] of 640 x 480.
        (
            "florence-2",
            Box(33.6, 159.6, 596.8, 371.76),
            (640, 480),
            "<loc_52><loc_332><loc_932><loc_774>",
        ),
        ("gemini", Box(341, 258, 397, 360), THOUSAND, '{"box_2d": [258, 341, 360, 397]}'),
        ("gemini", Point(10, 20), THOUSAND, '{"point": [20, 10]}'),
        (
            "glm-4v",
            Box(94, 598, 177, 991),
            THOUSAND,
            "<|begin_of_box|>[[94,598,177,991]]<|end_of_box|>",
        ),
        # Its documentation: the lady with the blue shirt, from RefCOCO.
        (
            "internvl",
            Box(103.93, 299.99, 238.15, 477.41),
            (427, 640),
            "<box>[[243, 469, 558, 746]]</box>",
        ),
        # transformers' example: the snowman.
        (
            "kosmos-2",
            Box(0.390625, 0.046875, 0.984375, 0.828125),
            (1, 1),
            "<object><patch_index_0044><patch_index_0863></object>",
        ),
        ("llava-1.5", Box(41, 31, 67, 73), (100, 100), "[0.41, 0.31, 0.67, 0.73]"),
        ("minigpt-v2", Box(24.9, 7, 98, 93), (100, 100), "{<24><7><98><93>}"),
        (
            "molmo",
            Point(61.5, 40.6),
            (100, 100),
            '<point x="61.5" y="40.6" alt="object">object</point>',
        ),
        # y first; 102.3 and 307.5 of 1023 are bins, the second a tie.
        (
            "paligemma",
            Box(102.3, 307.5, 613.8, 716.1),
            (1023, 1023),
            "<loc0308><loc0102><loc0716><loc0614>",
        ),
        ("qwen-vl", Box(536, 509, 588, 602), THOUSAND, "<box>(536,509),(588,602)</box>"),
        (
            "qwen2-vl",
            Box(176, 106, 232, 160),
            THOUSAND,
            "<|box_start|>(176,106),(232,160)<|box_end|>",
        ),
        ("qwen2-vl", Point(348, 291), THOUSAND, "<|box_start|>(348,291)<|box_end|>"),
        ("qwen2.5-vl", Box(341, 258, 397, 360), (560, 560), '{"bbox_2d": [341, 258, 397, 360]}'),
        ("qwen2.5-vl", Point(12.5, 13.5), (560, 560), '{"point_2d": [12, 14]}'),
        ("qwen3-vl", Box(341, 258, 397, 360), THOUSAND, '{"bbox_2d": [341, 258, 397, 360]}'),
        ("qwen3-vl", Point(12.5, 13.5), THOUSAND, '{"point_2d": [12, 14]}'),
        ("shikra", Box(220, 216, 568, 830), THOUSAND, "[0.220,0.216,0.568,0.830]"),
        ("shikra", Point(321, 7), THOUSAND, "[0.321,0.007]"),
    ],
)
def test_the_familys_example(name: str, place: Location, size: Size, text: str) -> None:
    spoken = dialect(name)
    assert spoken.encode(place, size) == text
    (back,) = spoken.parse(text, size, strict=True)
    step = max(size) / spoken.extent(Frame.identity(size))[0] / 10**spoken.decimals
    assert coords_of(back) == pytest.approx(coords_of(place), abs=spoken.error * step)


def test_kosmos_2_reads_cell_centers_and_lone_cells_as_the_original_does() -> None:
    kosmos = dialect("kosmos-2")
    text = "<patch_index_0044><patch_index_0863>"
    assert kosmos.parse(text, (1, 1)) == [Box(0.390625, 0.046875, 0.984375, 0.828125)]
    assert kosmos.parse("<patch_index_0000><patch_index_0000>", (32, 32)) == [Box(0, 0, 1, 1)]
    assert kosmos.parse("<patch_index_0000><patch_index_0003>", (32, 32)) == [Box(0, 0, 4, 1)]


# The formulas that are published but not installed, with their own arithmetic

FORMULAS: dict[str, Any] = {
    "ferret": lambda v, side: int(v * (1000 * 1.0 / side)),
    "internvl": lambda v, side: round((v / side) * 1000),
    "glm-4v": lambda v, side: round(v / side * 1000),
    "minigpt-v2": lambda v, side: int(v / side * 100),
    "paligemma": lambda v, side: min(max(int(np.round(v / side * 1023)), 0), 1023),
    "qwen2.5-vl": lambda v, side: max(0, min(round(v), side - 1)),  # in its own frame
}


@pytest.mark.parametrize("name", FORMULAS)
def test_it_writes_what_the_published_formula_gives(name: str) -> None:
    spoken = dialect(name)
    rng = np.random.default_rng(11)
    cases, wrong = 5_000, 0
    for _ in range(cases):
        width, height = (int(v) * 28 for v in rng.integers(2, 72, size=2))
        x1, y1, x2, y2 = np.sort(rng.random((2, 2)) * (width, height), axis=0).ravel()
        sides = (width, height, width, height)
        numbers = [FORMULAS[name](v, s) for v, s in zip((x1, y1, x2, y2), sides, strict=True)]
        if spoken.order == "yx":
            numbers = [numbers[i] for i in (1, 0, 3, 2)]
        ((_, found),) = spoken.find(spoken.encode(Box(x1, y1, x2, y2), (width, height)))
        wrong += list(found or ()) != numbers
    print(f"\n| {name} | encode | its published formula | {cases:,} | {wrong} |")
    assert wrong == 0


# Declared properties


@every_dialect
def test_the_far_corner_is_the_largest_number_ever_written(name: str) -> None:
    spoken = dialect(name)
    frame = Frame.identity((560, 280))
    place = Box(0, 0, 560, 280) if "box" in spoken.kinds else Point(560, 280)
    ((_, numbers),) = spoken.find(spoken.encode(place, frame))
    assert numbers is not None
    values = numbers if name == "kosmos-2" else numbers[-2:]
    last = {"kosmos-2": (0, 1023)}.get(name, spoken.largest(frame))
    assert values == last


@pytest.mark.parametrize(
    ("name", "order", "rounding", "scale", "top"),
    [
        ("cogvlm", "xy", "floor", 1000, 999),
        ("deepseek-vl2", "xy", "half-even", 999, 999),
        ("ferret", "xy", "floor", 1000, 1000),
        ("florence-2", "xy", "floor", 1000, 999),
        ("gemini", "yx", "half-even", 1000, 1000),
        ("glm-4v", "xy", "half-even", 1000, 1000),
        ("internvl", "xy", "half-even", 1000, 1000),
        ("kosmos-2", "xy", "cell", 32, 31),
        ("llava-1.5", "xy", "half-even", 1, 1),
        ("minigpt-v2", "xy", "floor", 100, 100),
        ("molmo", "xy", "half-even", 100, 100),
        ("paligemma", "yx", "half-even", 1023, 1023),
        ("qwen-vl", "xy", "floor", 1000, 999),
        ("qwen2-vl", "xy", "floor", 1000, 999),
        ("qwen3-vl", "xy", "half-even", 1000, 1000),
        ("shikra", "xy", "half-even", 1, 1),
        ("qwen2.5-vl", "xy", "half-even", (560, 280), (559, 279)),
    ],
)
def test_properties_are_declared_on_the_class(
    name: str, order: str, rounding: str, scale: Any, top: Any
) -> None:
    spoken = dialect(name)
    assert (spoken.order, spoken.rounding) == (order, rounding)
    frame = Frame.identity((560, 280))
    assert spoken.extent(frame) == (scale if isinstance(scale, tuple) else (scale, scale))
    assert spoken.largest(frame) == (top if isinstance(top, tuple) else (top, top))


@pytest.mark.parametrize("name", BOX_ONLY)
def test_a_family_without_points_says_so(name: str) -> None:
    for refused in (
        lambda: dialect(name).encode(Point(1, 2), THOUSAND),
        lambda: dialect(name).repr_of("point"),
    ):
        with pytest.raises(InputError, match=f"^{name} writes boxes only; give a box") as caught:
            refused()
        assert "\n" not in str(caught.value)


def test_molmo_has_no_boxes() -> None:
    with pytest.raises(InputError, match="molmo writes points only; give a point"):
        dialect("molmo").encode(Box(1, 2, 3, 4), THOUSAND)


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("cogvlm", "box", "[[x1,y1,x2,y2]]"),
        ("paligemma", "box", "<locy1><locx1><locy2><locx2>"),
        ("gemini", "point", '{"point": [y, x]}'),
        ("qwen2-vl", "point", "<|box_start|>(x,y)<|box_end|>"),
        ("kosmos-2", "box", "<object><patch_index_first><patch_index_last></object>"),
    ],
)
def test_how_the_prompt_names_the_format(name: str, kind: Any, text: str) -> None:
    assert dialect(name).repr_of(kind) == text


# Frames


@pytest.mark.parametrize("name", coordinates.dialects())
def test_every_dialect_has_a_frame_of_its_own(name: str) -> None:
    spoken = dialect(name)
    frame = spoken.frame((640, 427))
    assert frame.original == (640, 427)
    assert (frame == Frame.identity((640, 427))) == (spoken.relative_to == "image")


def test_shikra_and_llava_1_5_pad_to_a_square() -> None:
    assert dialect("llava-1.5").frame((640, 427)) == Frame.pad_to_square((640, 427), 336)
    assert dialect("shikra").frame((640, 427)) == Frame.pad_to_square((640, 427), 224)
    llava = dialect("llava-1.5")
    whole = Box(0, 0, 400, 200)
    assert llava.encode(whole, llava.frame((400, 200))) == "[0.00, 0.25, 1.00, 0.75]"


def test_qwen2_5_vl_writes_pixels_of_the_resized_picture() -> None:
    qwen = dialect("qwen2.5-vl", max_pixels=28 * 28 * 100)
    frame = qwen.frame((1000, 1000))
    assert frame.model == (280, 280)
    assert qwen.encode(Box(100, 200, 1000, 1000), frame) == '{"bbox_2d": [28, 56, 279, 279]}'


@pytest.mark.parametrize("bounds", [(0, 100), (-1, 100), (200, 100)])
def test_qwen2_5_vl_bounds_must_make_sense(bounds: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="qwen2.5-vl: min_pixels"):
        dialect("qwen2.5-vl", min_pixels=bounds[0], max_pixels=bounds[1])


def test_qwen2_5_vl_refuses_slivers() -> None:
    with pytest.raises(InputError, match=r"201 x 1 pixels is too narrow"):
        dialect("qwen2.5-vl").frame((201, 1))
    assert dialect("qwen2.5-vl").frame((200, 1)).model[1] == 28


# Reading


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        # Decoders drop special tokens, or put spaces between them.
        ("qwen2-vl", "the dog (1,2),(3,4)", [Box(1, 2, 3, 4)]),
        ("qwen-vl", "<ref>dog</ref><box> (1, 2), (3, 4) </box>", [Box(1, 2, 3, 4)]),
        ("internvl", "[[1, 2, 3, 4]]", [Box(1, 2, 3, 4)]),
        ("glm-4v", "at [[1,2,3,4]].", [Box(1, 2, 3, 4)]),
        ("glm-4v", "at [1, 2, 3, 4].", [Box(1, 2, 3, 4)]),
        ("minigpt-v2", "<p>dog</p> {<10> <20> <30> <40>}", [Box(100, 200, 300, 400)]),
        ("cogvlm", "a dog[[ 1, 2, 3, 4 ]]", [Box(1, 2, 3, 4)]),
        # Several in one pair of marks.
        ("cogvlm", "dogs[[1,2,3,4;5,6,7,8]]", [Box(1, 2, 3, 4), Box(5, 6, 7, 8)]),
        ("internvl", "<box>[[1, 2, 3, 4], [5, 6, 7, 8]]</box>", [Box(1, 2, 3, 4), Box(5, 6, 7, 8)]),
        ("shikra", "[0.1,0.2,0.3,0.4;0,0,1,1]", [Box(100, 200, 300, 400), Box(0, 0, 1000, 1000)]),
        ("shikra", "[0.1,0.2;0.5,1]", [Point(100, 200), Point(500, 1000)]),
        (
            "minigpt-v2",
            "{<1><2><3><4>}<delim>{<5><6><7><8>}",
            [Box(10, 20, 30, 40), Box(50, 60, 70, 80)],
        ),
        # JSON: any order, any quotes, fenced or cut short.
        ("qwen3-vl", '```json\n[{"label": "a", "bbox_2d": [1, 2, 3, 4]}]\n```', [Box(1, 2, 3, 4)]),
        ("qwen3-vl", "[{'bbox_2d': [1,2,3,4], 'label': 'a'}, {'bbox_2d': [5,6", [Box(1, 2, 3, 4)]),
        ("qwen3-vl", '{"point_2d":\n[\n 1,\n 2\n]}', [Point(1, 2)]),
        ("gemini", '[{"box_2d": [1, 2, 3, 4], "label": "x"}]', [Box(2, 1, 4, 3)]),
        ("gemini", '[{"point": [1, 2], "label": "x"}]', [Point(2, 1)]),
        # Molmo's several points, and its only one.
        (
            "molmo",
            'Two: <points x1="10.0" y1="20" x2="30.5" y2="40.0" alt="cats">cats</points>.',
            [Point(100, 200), Point(305, 400)],
        ),
        ("molmo", 'At <point x="1" y="2.25" alt="a">b</point>', [Point(10, 22.5)]),
        # A number below 1000 was never written, and yet 1000 is the edge.
        ("qwen2-vl", "(0,0),(1000,1000)", [Box(0, 0, 1000, 1000)]),
    ],
)
def test_what_is_read(name: str, text: str, expected: list[Location]) -> None:
    report = dialect(name).parse_report(text, THOUSAND)
    found = [coords_of(place) for place in report.locations]
    assert found == [pytest.approx(coords_of(place)) for place in expected]
    assert report.n_clipped == 0


def test_paligemma_reads_segments_and_several_objects() -> None:
    text = (
        "<loc0100><loc0200><loc0300><loc0400><seg012><seg001> cat ; "
        "<loc0000><loc0000><loc1023><loc1023> dog"
    )
    boxes = dialect("paligemma").parse(text, (1023, 1023))
    assert boxes == [Box(200, 100, 400, 300), Box(0, 0, 1023, 1023)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cogvlm", "[[1,2,3]]"),
        ("cogvlm", "[[3,2,1,4]]"),
        ("deepseek-vl2", "<|det|>[[1, 2, 3]]<|/det|>"),
        ("ferret", "[1, 2, 3]"),
        ("ferret", "[0.1, 0.2, 0.3, 0.4]"),
        ("florence-2", "<loc_1><loc_2><loc_3>"),
        ("gemini", '{"box_2d": [1, 2, 3]}'),
        ("gemini", '{"box_2d": [0.1, 0.2, 0.3, 0.4]}'),
        ("glm-4v", "[[1,2]]"),
        ("internvl", "<box>[[4, 2, 3, 4]]</box>"),
        ("kosmos-2", "<object><patch_index_0044></object>"),
        ("kosmos-2", "<patch_index_0044><patch_index_1024>"),
        ("kosmos-2", "<patch_index_0044><patch_index_0001>"),
        ("llava-1.5", "[41, 31, 67, 73]"),
        ("minigpt-v2", "{<1><2><3>}"),
        ("molmo", '<point x="one" y="2" alt="a">a</point>'),
        ("paligemma", "<loc0001><loc0002>"),
        ("paligemma", "<loc0009><loc0002><loc0001><loc0004>"),
        ("qwen-vl", "<box>(1,2)</box>"),
        ("qwen2-vl", "(1,2,3,4)"),
        ("qwen2.5-vl", '{"bbox_2d": [1, 2, "x", 4]}'),
        ("qwen3-vl", '{"point_2d": [1, 2, 3]}'),
        ("shikra", "[220,216,568,830]"),
        ("shikra", f"[0.{'9' * 20},{'9' * 400}.0]"),
    ],
)
def test_malformed_is_counted_and_ignored(name: str, text: str) -> None:
    report = dialect(name).parse_report(f"see {text} there", THOUSAND)
    assert (report.locations, report.n_malformed) == ([], 1)
    with pytest.raises(CoordinateError):
        dialect(name).parse(text, THOUSAND, strict=True)


@every_dialect
def test_numbers_of_other_things_are_none_of_its_own(name: str) -> None:
    """Masks, sizes and plain numbers: nothing is made up of them."""
    text = 'The 2 dogs, 1920x1080, "mask": "a1b2", 3.14 and 12:30, <b>1</b>, x=1, y=2.'
    report = dialect(name).parse_report(text, THOUSAND)
    assert (report.locations, report.n_malformed) == ([], 0)


def test_a_polygon_in_json_is_no_point() -> None:
    text = '{"box_2d": [1, 2, 3, 4], "mask": [[10, 20], [30, 40], [50, 60]]}'
    assert dialect("gemini").parse(text, THOUSAND) == [Box(2, 1, 4, 3)]


@every_dialect
def test_out_of_range_is_clipped_and_counted(name: str) -> None:
    spoken = dialect(name)
    frame = Frame.identity((560, 560))
    if name == "kosmos-2":
        return  # a cell off the grid is no cell
    numbers = (0.0, 0.0, 2 * spoken.extent(frame)[0], 2 * spoken.extent(frame)[0])
    text = spoken.write(numbers if "box" in spoken.kinds else numbers[2:])
    report = spoken.parse_report(text, frame)
    assert report.n_clipped == 1
    assert coords_of(report.locations[0])[-1] == 560


@every_dialect
def test_nothing_is_found_in_an_empty_text(name: str) -> None:
    assert dialect(name).parse("", THOUSAND) == []


PIECES = [
    *"()[]{}<>|,;:\"'- 0179.\n",
    *("<loc", "<loc_", "<patch_index_", "<object>", "</object>", "<box>", "<|det|>", "<point "),
    *('"bbox_2d"', '"box_2d": [', '"point": [', 'x="', 'y="', "<|box_start|>", "\u0664", "\ud800"),
]


@every_dialect
@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=40), size=st.sampled_from([(1, 1), (9, 7)])
)
def test_lenient_reading_never_raises(name: str, pieces: list[str], size: Size) -> None:
    spoken = dialect(name)
    report = spoken.parse_report("".join(pieces), spoken.frame(size))
    for place in report.locations:
        assert coords_of(place) == coords_of(place.clip(*size))


@every_dialect
def test_a_hostile_text_takes_no_time(name: str) -> None:
    length = 20_000
    spoken = dialect(name)
    good = some_text(spoken)
    pieces = ["(", "[[", "9", "1,", "[1,", " ", "<loc", "<point ", good[:-1], good[:9], '"', "{<1>"]
    pieces += [good, 'x="1" y="1" alt="">', '"bbox_2d": [', "<patch_index_0001>", "[1" + ",1" * 50]
    started = time.process_time()
    for piece in pieces:
        spoken.parse_report(piece * (length // len(piece)), THOUSAND)
    assert time.process_time() - started < 5
