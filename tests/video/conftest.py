"""The small LLaVA as one that reads clips."""

import copy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locvlm.models.load import Loaded
from locvlm.video.frames import Clip
from locvlm.video.model import PooledVideoLlavaForConditionalGeneration, video_config
from locvlm.video.processor import PooledVideoLlavaProcessor

FRAMES = 3


@pytest.fixture
def video_model(small_model: Loaded) -> Loaded:
    """In float32, for clips of three frames."""
    config = video_config(small_model.model.config)
    model = PooledVideoLlavaForConditionalGeneration(config)
    model.load_state_dict(small_model.model.state_dict())
    model.generation_config = copy.deepcopy(small_model.model.generation_config)
    processor = PooledVideoLlavaProcessor.of(small_model.processor, FRAMES)
    return Loaded(model.eval(), processor, small_model.coordinates, "small-video")


@pytest.fixture
def clip() -> Clip:
    """Noise that changes."""
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 256, (60, 80, 3), np.uint8)) for _ in range(FRAMES)]
    return Clip(tuple(frames), tuple(range(FRAMES)))


@pytest.fixture
def gif(clip: Clip, tmp_path: Path) -> Path:
    """The same as a file."""
    path = tmp_path / "clip.gif"
    first, *others = clip.frames
    first.save(path, save_all=True, append_images=others, duration=200)
    return path
