"""Against means that are written out in numpy."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from locvlm.models.video_llava.pooling import pool

shapes = st.tuples(*(st.integers(1, 5) for _ in range(4)))  # B, F, T, D
features = shapes.flatmap(
    lambda shape: arrays.arrays(np.float32, shape, elements=st.floats(-100, 100, width=32))
)


def reference(clips: np.ndarray) -> np.ndarray:
    rows = []
    for clip in clips.astype(np.float64):
        frames, patches, _ = clip.shape
        when = [sum(clip[f, t] for t in range(patches)) / patches for f in range(frames)]
        where = [sum(clip[f, t] for f in range(frames)) / frames for t in range(patches)]
        rows.append(np.stack(when + where))
    return np.stack(rows)


@given(features)
def test_it_is_the_means(clips: np.ndarray) -> None:
    pooled = pool(torch.from_numpy(clips)).numpy()
    assert pooled.shape == (len(clips), clips.shape[1] + clips.shape[2], clips.shape[3])
    np.testing.assert_allclose(pooled, reference(clips), rtol=1e-5, atol=1e-5)


@given(features)
def test_a_still_clip_keeps_its_picture(clips: np.ndarray) -> None:
    frame = torch.from_numpy(clips[:, :1])
    still = pool(frame.expand(-1, 4, -1, -1))
    torch.testing.assert_close(still[:, 4:], frame[:, 0], rtol=1e-5, atol=1e-5)


def test_long_clips_in_bfloat16_are_added_up_exactly() -> None:
    ones = torch.ones(1, 3000, 2, 1, dtype=torch.bfloat16)
    assert pool(ones).dtype == torch.bfloat16
    assert (pool(ones) == 1).all()
