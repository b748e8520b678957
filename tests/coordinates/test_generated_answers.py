"""Answers in every shape that models were seen to give: each location is read, or counted."""

import random

import pytest

from locvlm import coordinates
from locvlm.coordinates import CoordinateFormat
from locvlm.geometry import Box, Location, Point, coords_of

SIZE = (1000, 1000)
WORDS = ("It is at {}.", "{}", "The dog: {}\n", "```json\n{}\n```", "<answer>{}</answer>")
KEYS = ("bbox", "bbox_2d", "box_2d", "box", "coordinates")
# How four numbers are written by somebody else; whether a format reads them is its own matter.
SHAPES = (
    "[{}, {}, {}, {}]",
    "[{}.0, {}.0, {}.0, {}.0]",
    "({},{},{},{})",
    "({},{}),({},{})",
    "［{}，{}，{}，{}］",
    '{{"KEY": [{}, {}, {}, {}]}}',
    "{{'KEY': [{}, {}, {}, {}], 'label': 'dog'}}",
    "{{KEY: [{}, {}, {}, {}]}}",
    '[{{"label": "dog", "KEY": [[{}, {}, {}, {}]]}}]',
    '{{"KEY": [{}, {}, {}, {},],}}',
    '{{"x1": {}, "y1": {}, "x2": {}, "y2": {}}}',
    '{{"xmin": {}, "ymin": {}, "xmax": {}, "ymax": {}, "label": "dog"}}',
    "<loc{:0>4}><loc{:0>4}><loc{:0>4}><loc{:0>4}>",
    "<loc_{}><loc_{}><loc_{}><loc_{}>",
    "<box>({},{}),({},{})</box>",
    "<|box_start|>({},{}),({},{})<|box_end|>",
    "<box>[[{}, {}, {}, {}]]</box>",
    "<|det|>[[{}, {}, {}, {}]]<|/det|>",
)


def foreign_answer(rng: random.Random) -> str:
    x1, y1 = rng.randint(2, 400), rng.randint(2, 400)
    numbers = [x1, y1, x1 + rng.randint(10, 500), y1 + rng.randint(10, 500)]
    if rng.random() < 0.1:
        numbers = numbers[2:] + numbers[:2]  # swapped corners
    shape = rng.choice(SHAPES).format(*numbers).replace("KEY", rng.choice(KEYS))
    return rng.choice(WORDS).replace("{}", shape)


def own_answer(spoken: CoordinateFormat, rng: random.Random) -> tuple[str, list[Location]]:
    places: list[Location] = []
    for _ in range(rng.randint(1, 4)):
        x1, y1 = rng.uniform(0, 800), rng.uniform(0, 800)
        box = Box(x1, y1, x1 + rng.uniform(50, 200), y1 + rng.uniform(50, 200))
        places.append(box if "box" in spoken.kinds else box.center)
    written = [spoken.encode(place, spoken.frame(SIZE)) for place in places]
    text = rng.choice((", ", " and ", "\n", " ; ")).join(written)
    return rng.choice(WORDS).replace("{}", text), places


def check(name: str, count: int) -> None:
    rng, spoken = random.Random(name), coordinates.get(name)
    frame = spoken.frame(SIZE)
    for _ in range(count):
        text = foreign_answer(rng)
        report = spoken.parse_report(text, frame)
        assert report.locations or report.n_malformed, f"neither read nor counted: {text}"
        for start, end in (*report.spans, *report.unread):
            assert 0 <= start < end <= len(text)
        text, places = own_answer(spoken, rng)
        report = spoken.parse_report(text, frame)
        assert len(report.locations) == len(places), text
        for found, place in zip(report.locations, places, strict=True):
            assert isinstance(found, Point) == isinstance(place, Point)
            assert coords_of(found) == pytest.approx(coords_of(place), abs=35), text


@pytest.mark.parametrize("name", coordinates.names())
def test_each_location_is_read_or_counted(name: str) -> None:
    check(name, 150)


@pytest.mark.slow
@pytest.mark.parametrize("name", coordinates.names())
def test_each_location_of_10_000_is_read_or_counted(name: str) -> None:
    check(name, 10_000)
