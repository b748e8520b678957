"""What plain transformers makes of our folders where torchvision is installed.

These run in CI's second step alone (`make test-torchvision`).
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, PreTrainedModel, ProcessorMixin
from transformers.utils import is_torchvision_available

from locvlm.compat.image_processors import load_stills, reads_videos
from locvlm.publishing.merge import merge

pytestmark = pytest.mark.skipif(
    not is_torchvision_available(), reason="needs torchvision: make test-torchvision"
)
# Of pixels as the model is given them, of which a grey level is 0.004 (InternVL: 1/255) to 0.015
# (CLIP): torchvision's resize may round to the next one
MEAN_DIFFERENCE, DIFFERENCE = 0.001, 0.02


@pytest.fixture
def merged(family: tuple[str, PreTrainedModel, ProcessorMixin], tmp_path: Path) -> Path:
    """A folder of `merge`, of a base that was written without torchvision."""
    _, model, processor = family
    model.save_pretrained(tmp_path / "base")
    processor.save_pretrained(tmp_path / "base")
    merge(str(tmp_path / "base"), tmp_path / "merged")
    return tmp_path / "merged"


def test_a_merged_folder_opens(merged: Path) -> None:
    processor = AutoProcessor.from_pretrained(merged)
    AutoModelForImageTextToText.from_pretrained(merged)
    ours = load_stills(merged, backend="pil")
    assert type(processor).__name__ == type(ours).__name__
    assert processor.chat_template == ours.chat_template
    if reads_videos(ours):
        known = processor.video_processor
        for name, value in ours.video_processor.to_dict().items():
            assert np.array_equal(getattr(known, name), value), name


def test_pixels_differ_by_the_resize_alone(merged: Path) -> None:
    y, x = np.mgrid[0:75, 0:100]
    waves = np.stack([np.sin(x / (4 + k)) + np.cos(y / (5 + k)) for k in range(3)], -1)
    picture = Image.fromarray(((waves + 2) * 63).astype(np.uint8))
    theirs = AutoProcessor.from_pretrained(merged).image_processor
    ours = load_stills(merged, backend="pil").image_processor
    one, other = (
        np.asarray(read(images=picture, return_tensors="np")["pixel_values"], np.float64)
        for read in (theirs, ours)
    )
    assert one.shape == other.shape
    assert np.abs(one - other).mean() < MEAN_DIFFERENCE
    assert np.abs(one - other).max() < DIFFERENCE
