"""Corners of polygons are no boxes, and a piece of a location is none."""

import pytest

from locvlm import coordinates

SIZE = (1000, 1000)
FLORENCE = "<loc_52><loc_332><loc_232><loc_332><loc_232><loc_374><loc_52><loc_374>"
PAIRS = "(100,200),(300,200),(300,250),(100,250)"


@pytest.mark.parametrize(
    ("name", "text", "boxes", "unread"),
    [
        ("florence-2", f"STOP{FLORENCE}GO{FLORENCE}", 0, 2),
        ("florence-2", f"{FLORENCE}<loc_30><loc_40>", 0, 1),
        ("florence-2", "car<loc_1><loc_2><loc_3><loc_4><loc_5><loc_6><loc_7><loc_8></s>", 2, 0),
        ("florence-2", "car<loc_1><loc_2><loc_3><loc_4><loc_5><loc_6>", 1, 1),  # cut
        ("florence-2", "a<loc_1><loc_2><loc_3><loc_4>b<loc_9><loc_2><loc_3><loc_4>", 1, 1),
        ("qwen-vl", f"<ref>text</ref><quad>{PAIRS}</quad>", 0, 1),
        ("qwen-vl", "<quad>(1,2),(3,4),(5,6),(7,8)</quad>", 0, 1),
        ("qwen-vl", "<box>(9,2),(3,4)</box><box>(5,6),(7,8)</box>", 1, 1),
        ("qwen2-vl", f"<|quad_start|>{PAIRS}<|quad_end|>", 0, 1),
        ("qwen2-vl", "<|box_start|>(1,2),(3,4),(5,6)<|box_end|>", 0, 1),
        ("qwen2-vl", "<|box_start|>(1,2),(3,4), (5,6),(7,8)<|box_end|>", 2, 0),
        ("qwen2-vl", "<|box_start|>(1,2),(3,4)<|box_end|><|box_start|>(5,6)<|box_end|>", 2, 0),
        ("internvl", "{<89><47><97><55>|<58>}{<50><24><54><28>|<58>}", 0, 2),
        ("minigpt-v2", "{<89><47><97><55>|<58>}", 0, 1),
    ],
)
def test_corners_of_polygons(name: str, text: str, boxes: int, unread: int) -> None:
    report = coordinates.get(name).parse_report(text, SIZE)
    assert (len(report.locations), report.n_malformed) == (boxes, unread)


@pytest.mark.parametrize(
    ("name", "text", "boxes", "unread"),
    [
        ("internvl", "<ref>a</ref><box>[[196, 422, 395", 0, 1),
        ("internvl", "<box>[[196, 422, 395, 500],[100, 20", 1, 1),
        ("internvl", "<box>[[196, 422, 395, 500]]</box> of 3", 1, 0),
        ("internvl", "a cat (3", 0, 0),
        ("qwen2-vl", "<|box_start|>(196,422),(395", 0, 1),
        ("qwen2-vl", "<|box_start|>(1,2),(3,4)<|box_end|><|box_start|>(196,", 1, 1),
        ("deepseek-vl2", "<|det|>[[0, 50, 55, 99], [0, 5, 533, 17, 9999", 1, 1),
    ],
)
def test_a_location_that_ends_with_the_text(name: str, text: str, boxes: int, unread: int) -> None:
    report = coordinates.get(name).parse_report(text, SIZE)
    assert (len(report.locations), report.n_malformed) == (boxes, unread)
