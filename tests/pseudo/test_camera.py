"""Where the camera looks, and where that puts boxes."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.geometry import Box
from locvlm.pseudo.camera import MOVES, camera_windows, window_frame

sizes = st.tuples(st.integers(2, 2000), st.integers(2, 2000))


@given(st.sampled_from(sorted(MOVES)), sizes, st.integers(1, 40), st.integers(0, 99))
def test_windows_stay_in_the_photo_and_keep_its_shape(
    move: str, size: tuple[int, int], frames: int, seed: int
) -> None:
    found = camera_windows(move, size, frames, random.Random(seed))
    assert found.shape == (frames, 4)
    assert (found[:, :2] >= -1e-9).all()
    assert (found[:, 2:] <= np.array(size) + 1e-6).all()
    shares = (found[:, 2:] - found[:, :2]) / size
    assert np.allclose(shares[:, 0], shares[:, 1])
    least, most = MOVES[move]
    assert ((shares >= least - 1e-9) & (shares <= most + 1e-9)).all()


@given(sizes, st.integers(0, 99))
def test_a_drift_holds_still_to_a_model_and_still_does_not_move(
    size: tuple[int, int], seed: int
) -> None:
    still = camera_windows("still", size, 16, random.Random(seed))
    assert (still == (0, 0, *size)).all()
    drift = camera_windows("drift", size, 16, random.Random(seed))
    moved = (drift[-1] - drift[0]) / (*size, *size) * 224
    assert np.abs(moved).max() <= 224 * 0.03 + 1e-9  # at most 3 % of the side


@given(sizes, sizes, st.integers(0, 99))
def test_the_window_fills_the_frame(
    size: tuple[int, int], shown: tuple[int, int], seed: int
) -> None:
    for window in camera_windows("pan", size, 3, random.Random(seed)):
        frame = window_frame(window, size, shown)
        filled = frame.apply(Box(*window))
        assert (filled.x1, filled.y1, filled.x2, filled.y2) == pytest.approx(
            (0, 0, *shown), abs=1e-6 * max(shown)
        )
