"""The code that a card shows, run."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from locvlm import coordinates
from locvlm.coordinates import CoordinateFormat
from locvlm.geometry import Box, Frame, coords_of
from locvlm.models.load import Loaded
from locvlm.publishing import snippets

SIDE = 56
FRAMES = {"stretched": Frame.resize, "padded": Frame.pad_to_square}
SPEECHES = [coordinates.get("ivb", bins=SIDE), coordinates.get("ivb"), coordinates.get("nfp")]
MORE = ("diga", "kosmos-2", "molmo", "pixels", "qwen2.5-vl")  # no corners on one scale
DIALECTS = [coordinates.get(name) for name in coordinates.names() if name not in MORE]

sizes = st.tuples(st.integers(1, 2000), st.integers(1, 2000))
shares = st.lists(st.floats(0, 1), min_size=4, max_size=4)


def boxes_of(speech: CoordinateFormat, view: str) -> Any:
    """The function of the card."""
    names: dict[str, Any] = {}
    code = snippets.plain_parser(speech, view)
    assert code is not None
    exec(code, names)
    return names["boxes"]


@pytest.mark.parametrize("view", FRAMES)
@pytest.mark.parametrize("speech", [*SPEECHES, *DIALECTS], ids=str)
@given(size=sizes, corners=shares)
def test_the_plain_parser_is_the_formats(
    speech: CoordinateFormat, view: str, size: tuple[int, int], corners: list[float]
) -> None:
    (x1, x2), (y1, y2) = sorted(corners[::2]), sorted(corners[1::2])
    box = Box(x1 * size[0], y1 * size[1], x2 * size[0], y2 * size[1])
    whole = speech.relative_to == "image"
    frame = Frame.identity(size) if whole else FRAMES[view](size, SIDE)
    answer = f"It is located at {speech.encode(box, frame)}, and {speech.encode(box, frame)}."
    expected = [coords_of(place) for place in speech.parse(answer, frame)]
    found = boxes_of(speech, view)(answer, *size)
    assert len(found) == len(expected) == 2
    for a, b in zip(found, expected, strict=True):
        assert a == pytest.approx(b, abs=1e-6)


@pytest.mark.parametrize("answer", ["", "No.", "(1,2)", "(1,2,3)", "[1,2,3,4]"])
def test_an_answer_without_a_box(answer: str) -> None:
    assert boxes_of(SPEECHES[0], "stretched")(answer, 640, 480) == []


@pytest.mark.parametrize("name", MORE)
def test_other_formats_take_more(name: str) -> None:
    assert snippets.plain_parser(coordinates.get(name), "stretched") is None
    assert snippets.plain_parser(SPEECHES[0], "other") is None


def test_shares_of_the_picture_need_no_view() -> None:
    found = boxes_of(coordinates.get("paligemma"), "other")
    assert found("<loc0000><loc0341><loc1023><loc0682>", 300, 90) == [[100, 0, 200, 90]]


def test_a_point_is_asked_for_where_there_are_no_boxes() -> None:
    assert '<point x="x" y="y"' in snippets.locate_question(coordinates.get("molmo"))


def test_views(small_model: Loaded) -> None:
    assert snippets.resizing_of(small_model.processor) == ("stretched", (SIDE, SIDE))
    square = {"height": SIDE, "width": SIDE}
    padded = LlavaImageProcessorPil(do_pad=True, size={"shortest_edge": SIDE}, crop_size=square)
    assert snippets.resizing_of(padded) == ("padded", (SIDE, SIDE))
    cropped = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=square)
    assert snippets.resizing_of(cropped)[0] == "other"
    assert snippets.resizing_of(object())[0] == "other"


def test_the_example() -> None:
    text, pixels = snippets.encode_example(SPEECHES[1], Frame.resize(snippets.EXAMPLE_SIZE, 224))
    assert (text, pixels) == ("(4,52,13,63)", (11.43, 111.43, 37.14, 135.0))
