from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.segmentations import bound_segmentation, decode_counts


@pytest.mark.parametrize(
    ("segmentation", "box"),
    [
        ([[10, 20, 30, 20, 30, 50.5]], (10, 20, 30, 50.5)),
        ([[10, 20, 30, 20, 30, 50], [1, 2, 3, 4, 5, 6]], (1, 2, 30, 50)),
        ([10, 20, 30, 20, 30, 50], (10, 20, 30, 50)),
        ({"size": [4, 5], "counts": [5, 2, 2, 2, 9]}, (1, 1, 3, 3)),
        ({"size": [4, 5], "counts": [3, 2, 15]}, (0, 0, 2, 4)),
        ({"size": [4, 5], "counts": [20]}, None),
        ({"size": [0, 5], "counts": [1, 1]}, None),
        ({"size": [4, 5], "counts": "\x01"}, None),
        ({"size": None, "counts": [1, 2]}, None),
        ([], None),
        ([[]], None),
        ([["a", "b", "c", "d"]], None),
        (None, None),
        ("polygon", None),
    ],
)
def test_box_of(segmentation: Any, box: Any) -> None:
    assert bound_segmentation(segmentation) == box


def encode(counts: list[int]) -> str:
    """As the decoder's description says, backwards."""
    text = ""
    for place, count in enumerate(counts):
        value = count - (counts[place - 2] if place > 2 else 0)
        while True:
            digit = value & 31
            value >>= 5
            more = value != (-1 if digit & 16 else 0)
            text += chr(48 + digit + 32 * more)
            if not more:
                break
    return text


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_any_mask(height: int, width: int, data: st.DataObject) -> None:
    size = height * width
    bits = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    counts, value = [0], False
    for bit in bits:
        if bit != value:
            counts.append(0)
            value = bit
        counts[-1] += 1
    text = encode(counts)
    assert decode_counts(text) == counts
    mask = np.array(bits).reshape(width, height).T
    ys, xs = np.nonzero(mask)
    box = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) if len(xs) else None
    assert bound_segmentation({"size": [height, width], "counts": text}) == box
    assert bound_segmentation({"size": [height, width], "counts": counts}) == box
