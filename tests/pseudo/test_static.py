"""What holds still, against the rule written out, and at its bounds."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.geometry import Box, Frame
from locvlm.pseudo.static import StaticObjects, find_static

Seen = Sequence[tuple[int, int, tuple[float, float, float, float]]]  # frame, label, xyxy

AS_IT_IS = Frame.identity((224, 224))


def told(seen: Seen, frame: Frame = AS_IT_IS) -> StaticObjects:
    return find_static(
        np.array([box for _, _, box in seen], np.float64).reshape(-1, 4),
        np.array([label for _, label, _ in seen], np.int64),
        np.array([number for number, _, _ in seen], np.int64),
        frame,
    )


def box_at(x: float, y: float = 50, size: float = 20) -> tuple[float, float, float, float]:
    return x - size / 2, y - size / 2, x + size / 2, y + size / 2


def test_nothing_seen() -> None:
    found = told([])
    assert found.boxes.shape == (0, 4)
    assert found.labels.size == found.moving.size == found.several.size == 0


def test_seen_once() -> None:
    found = told([(3, 7, (1, 2, 3, 4))])
    assert found.labels.tolist() == [7]
    assert found.boxes.tolist() == [[1, 2, 3, 4]]


def test_two_in_one_frame() -> None:
    found = told([(0, 1, box_at(50)), (1, 1, box_at(50)), (1, 1, box_at(50)), (1, 2, box_at(9))])
    assert found.several.tolist() == [1]
    assert found.labels.tolist() == [2]
    assert found.moving.size == 0


def test_the_mean_box() -> None:
    found = told([(0, 0, (10, 10, 20, 30)), (5, 0, (12, 6, 24, 30))])
    assert found.boxes.tolist() == [[11, 8, 22, 30]]


@pytest.mark.parametrize(("pan", "still"), [(4.99, True), (5.0, True), (5.01, False)])
@pytest.mark.parametrize("direction", [(1, 0), (0, -1), (0.6, 0.8)])
def test_a_pan(direction: tuple[float, float], pan: float, still: bool) -> None:
    """From one side of the mean to the other."""
    x, y = pan * direction[0], pan * direction[1]
    seen = [(0, 0, box_at(64 - x, 64 - y)), (1, 0, box_at(64 + x, 64 + y))]
    found = told(seen)
    assert found.labels.tolist() == [0] * still
    assert found.moving.tolist() == [0] * (not still)


@pytest.mark.parametrize(("pan", "still"), [(14.9, True), (15.1, False)])
def test_pixels_are_those_that_the_model_sees(pan: float, still: bool) -> None:
    """A clip three times as wide as the model's picture, and as high as it."""
    frame = Frame.resize((672, 224), 224)
    seen = [(0, 0, box_at(300 - pan)), (1, 0, box_at(300 + pan))]
    assert told(seen, frame).labels.tolist() == [0] * still
    cropped = Frame.center_crop((1344, 672), 224, 224)  # thirds, both ways
    assert told(seen, cropped).labels.tolist() == [0] * still


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(0, 4),
            st.tuples(*[st.floats(0, 12)] * 2, *[st.floats(12, 24)] * 2),
        ),
        max_size=15,
    ),
    st.sampled_from([1, 224, 448]),
    st.sampled_from([112, 224]),
)
def test_against_the_rule_written_out(seen: Seen, width: int, side: int) -> None:
    frame = Frame.resize((width, 224), side)
    found = told(seen, frame)
    for label in range(5):
        boxes = [Box(*box) for _, each, box in seen if each == label]
        numbers = [number for number, each, _ in seen if each == label]
        kinds = [found.labels, found.moving, found.several]
        where = [label in kind.tolist() for kind in kinds]
        assert sum(where) == bool(boxes)
        if not boxes:
            continue
        assert where[2] == (len(set(numbers)) < len(numbers))
        if where[2]:
            continue
        centers = [frame.apply(box.center) for box in boxes]
        x = sum(center.x for center in centers) / len(centers)
        y = sum(center.y for center in centers) / len(centers)
        furthest = max(math.hypot(center.x - x, center.y - y) for center in centers)
        if abs(furthest - 5) > 1e-9:
            assert where[0] == (furthest < 5)
        if where[0]:
            mean = found.boxes[found.labels.tolist().index(label)]
            corners = np.array([(box.x1, box.y1, box.x2, box.y2) for box in boxes])
            assert mean == pytest.approx(corners.mean(0))
