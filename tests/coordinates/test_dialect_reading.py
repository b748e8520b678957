"""What the dialects read in free text, and what they leave alone."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.coordinates import CoordinateError, dialects
from locvlm.coordinates import get as dialect
from locvlm.geometry import Box, Frame, Location, Point, Size, coords_of

THOUSAND = (1000, 1000)
PIECES = [
    *"()[]{}<>|,;:\"'- 0179.\n",
    *("<loc", "<loc_", "<patch_index_", "<object>", "</object>", "<box>", "<|det|>", "<point "),
    *('"bbox_2d"', '"box_2d": [', '"point": [', 'x="', 'y="', "<|box_start|>", "\u0664", "\ud800"),
]
every_dialect = pytest.mark.parametrize("name", dialects())


def test_kosmos_2_reads_cell_centers_and_lone_cells_as_the_original_does() -> None:
    kosmos = dialect("kosmos-2")
    text = "<patch_index_0044><patch_index_0863>"
    assert kosmos.parse(text, (1, 1)) == [Box(0.390625, 0.046875, 0.984375, 0.828125)]
    assert kosmos.parse("<patch_index_0000><patch_index_0000>", (32, 32)) == [Box(0, 0, 1, 1)]
    assert kosmos.parse("<patch_index_0000><patch_index_0003>", (32, 32)) == [Box(0, 0, 4, 1)]


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
        # What models make of it: another key or none, fractions, lists in lists, corners by name.
        ("qwen3-vl", '[{"bbox": [1, 2, 3, 4], "label": "a"}]', [Box(1, 2, 3, 4)]),
        ("qwen3-vl", "<answer>[1, 2, 3, 4]</answer>", [Box(1, 2, 3, 4)]),
        ("qwen3-vl", '{"bbox_2d": [1.0, 2.5, 3.0, 4.0]}', [Box(1, 2.5, 3, 4)]),
        ("qwen3-vl", '{"bbox_2d": [[1, 2, 3, 4]]}', [Box(1, 2, 3, 4)]),
        ("qwen3-vl", '{"bbox_2d": [[1, 2], [3, 4]]}', [Box(1, 2, 3, 4)]),
        ("qwen3-vl", '{"bbox_2d": [1, 2, 3, 4,],}', [Box(1, 2, 3, 4)]),
        ("qwen3-vl", "{bbox_2d: [1, 2, 3, 4], label: a}", [Box(1, 2, 3, 4)]),
        ("qwen3-vl", '{"bbox_2d": "[1, 2, 3, 4]"}', [Box(1, 2, 3, 4)]),
        ("qwen3-vl", '{"bbox_2d"：［1，2，3，4］}', [Box(1, 2, 3, 4)]),
        ("qwen3-vl", '{"x1": 1, "y1": 2, "x2": 3, "y2": 4}', [Box(1, 2, 3, 4)]),
        ("gemini", '{"xmin": 1, "xmax": 3, "ymin": 2, "ymax": 4}', [Box(1, 2, 3, 4)]),
        ("gemini", "[1, 2, 3, 4]", [Box(2, 1, 4, 3)]),
        ("ferret", "[1.0, 2.0, 3.0, 4.0,]", [Box(1, 2, 3, 4)]),
        ("internvl", "<box>［［1，2，3，4］］</box>", [Box(1, 2, 3, 4)]),
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
        # of other formats
        ("qwen3-vl", '{"box_2d": [1, 2, 3, 4]}'),
        ("qwen3-vl", "<|box_start|>(1,2,3,4)<|box_end|>"),
        ("gemini", '{"bbox_2d": [1, 2, 3, 4]}'),
        ("gemini", "<loc0001><loc0002><loc0003><loc0004>"),
        ("qwen2-vl", '{"bbox_2d": [1, 2, 3, 4]}'),
        ("paligemma", "(1,2,3,4)"),
        ("molmo", "[1, 2, 3, 4]"),
        ("internvl", '{"x1": 1, "y1": 2, "x2": 3, "y2": 4}'),
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
    place = Box(100, 200, 700, 800) if "box" in spoken.kinds else Point(400, 500)
    good = spoken.encode(place, THOUSAND)
    pieces = ["(", "[[", "9", "1,", "[1,", " ", "<loc", "<point ", good[:-1], good[:9], '"', "{<1>"]
    pieces += [good, 'x="1" y="1" alt="">', '"bbox_2d": [', "<patch_index_0001>", "[1" + ",1" * 50]
    started = time.process_time()
    for piece in pieces:
        spoken.parse_report(piece * (length // len(piece)), THOUSAND)
    assert time.process_time() - started < 5
