"""Reading locations out of free text, which all formats share; strict reading of one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm import coordinates
from locvlm.coordinates import CoordinateError
from locvlm.errors import LocVLMError
from locvlm.geometry import Box, Frame, Point, Size, coords_of

IVB224 = coordinates.get("ivb", bins=224)
HERE = Box(4 * 512 / 224, 52 * 512 / 224, 13 * 512 / 224, 63 * 512 / 224)


@pytest.mark.parametrize(
    "text",
    [
        "(4,52,13,63)",
        "[4,52,13,63]",
        "( 4 , 52,\t13,\n63 )",
        "It is located at (4,52,13,63).",
        "box=(4,52,13,63)bbox",
        "((4,52,13,63))",
        "\u0436 \U0001f436 (4,52,13,63) \u2014 \u5de6",
        "(0004,052,13,63)",
    ],
)
def test_a_box_is_found_in_free_text(text: str) -> None:
    assert IVB224.parse(text, (512, 512)) == [HERE]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "There is no such object in the image",
        "()",
        "(,)",
        "(4)",
        "4,52,13,63",
        "(4,52,13,63",
        "4,52,13,63)",
        "(4;52;13;63)",
        "(four,52,13,63)",
        "(\u0664,\u0665)",  # Arabic-Indic digits are no digits of these formats
        "(\uff14,\uff15)",  # nor are full-width ones
        "\x00\ud800",
        "(" * 5000,
        "(1," * 5000,
        "([" * 50 + "])" * 50,
    ],
)
def test_nothing_is_found_in_garbage(text: str) -> None:
    report = IVB224.parse_report(text, (512, 512))
    assert (report.locations, report.spans, report.n_malformed) == ([], [], 0)


@pytest.mark.parametrize(
    "text",
    [
        "(4,52,13)",
        "(4,52,13,63,7)",
        "(4,52,13,63]",
        "[4,52,13,63)",
        "(13,52,4,63)",  # x2 < x1
        "(4,63,13,52)",  # y2 < y1
        "(0.0195,0.2344,0.0586,0.2832)",  # another format
        "(4,52.0,13,63)",
        f"(4,52,13,{'9' * 5000})",  # no finite number
        f"({'9' * 400},{'9' * 400})",
    ],
)
def test_malformed_groups_are_ignored_and_counted(text: str) -> None:
    ivb = coordinates.get("ivb", bins=224)
    report = ivb.parse_report(f"at {text} or (4,52,13,63)", (512, 512))
    assert report.locations == [HERE]
    assert report.n_malformed == 1
    assert ivb.counts == {"parse_clipped": 0, "parse_malformed": 1}
    with pytest.raises(CoordinateError):
        ivb.parse(text, (512, 512), strict=True)


def test_a_huge_number_is_out_of_range() -> None:
    report = IVB224.parse_report(f"(0,0,224,{'9' * 30})", (512, 512))
    assert report.locations == [Box(0, 0, 512, 512)]
    assert report.n_clipped == 1


def test_several_boxes_keep_their_order_and_spans() -> None:
    text = "a cat (4,52,13,63) and a dog [112,0] and (1,2) too"
    report = IVB224.parse_report(text, (224, 224))
    assert report.locations == [Box(4, 52, 13, 63), Point(112, 0), Point(1, 2)]
    assert [text[a:b] for a, b in report.spans] == ["(4,52,13,63)", "[112,0]", "(1,2)"]
    assert IVB224.parse(text, (224, 224)) == report.locations


@pytest.mark.parametrize("name", coordinates.names())
@given(
    text=st.text(alphabet="()[],.-0123456789 x\n\u00e9\u0664", max_size=60),
    size=st.tuples(st.integers(1, 10000), st.integers(1, 10000)),
)
def test_lenient_parsing_never_raises(name: str, text: str, size: Size) -> None:
    fmt = coordinates.get(name)
    report = fmt.parse_report(text, Frame.pad_to_square(size, 224))
    assert len(report.locations) == len(report.spans)
    for location in report.locations:
        assert coords_of(location) == coords_of(location.clip(*size))


@pytest.mark.parametrize(
    "text", ["", "at (4,52,13,63)", "(4,52,13,63) ", "(1,2)(3,4)", "(225,0)", "(9,9,1,1)", "(1)"]
)
def test_strict_takes_exactly_one_location(text: str) -> None:
    with pytest.raises(CoordinateError, match="exactly one ivb location") as caught:
        IVB224.parse(text, (512, 512), strict=True)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, LocVLMError)
    assert "\n" not in str(caught.value)


def test_a_long_text_is_cut_in_the_error() -> None:
    with pytest.raises(CoordinateError) as caught:
        IVB224.parse("x" * 10_000, (512, 512), strict=True)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("name", ["qwen3-vl", "ivb", "internvl"])
@pytest.mark.parametrize(
    "text",
    [
        '{"x": 100, "y": 100, "width": 200, "height": 200}',
        '{"left": 100, "top": 100, "right": 300, "bottom": 300}',
        "click(x=100, y=200)",
    ],
)
def test_places_with_other_names_are_counted(text: str, name: str) -> None:
    report = coordinates.get(name).parse_report(text, (1000, 1000))
    assert (report.locations, report.n_malformed) == ([], 1)


@pytest.mark.parametrize(
    ("text", "unread"),
    [
        ('Not [1, 2, 3, 4], but {"bbox_2d": [5, 6, 7, 8]}', ["[1, 2, 3, 4]"]),
        ('{"bbox_2d": [5, 6, 7, 8]} or <box>(1,2),(3,4)</box>', []),
        (
            '{"bbox_2d": [5, 6, 7, 8], "size": [1, 2, 3, 4], "ids": [[1, 2, 3, 4], [5, 6, 7, 8]]}',
            [],
        ),
        ('{"bbox_2d": [5, 6, 7, 8]}, and <loc0001><loc0002>', ["<loc0001><loc0002>"]),
        ('{"bbox_2d": [5, 6, 7, 8]}, {"bbox_2d": "1, 2, 3, 4"}', ['"1, 2, 3, 4"']),
    ],
)
def test_what_stands_beside_keys_is_counted(text: str, unread: list[str]) -> None:
    report = coordinates.get("qwen3-vl").parse_report(text, (1000, 1000))
    assert report.locations == [Box(5, 6, 7, 8)]
    assert [text[a:b] for a, b in report.unread] == unread
