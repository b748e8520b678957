"""Clips as files, which are read again."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locvlm.media.clip_writing import write_clip
from locvlm.media.clips import open_clip


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 250)]
    write_clip(path, (Image.new("RGB", (64, 48), colour) for colour in colours))
    clip = open_clip(path, 4)
    assert clip.size == (64, 48)
    assert clip.times == pytest.approx((0, 1 / 8, 2 / 8, 3 / 8))
    for frame, colour in zip(clip.frames, colours, strict=True):
        assert frame.getpixel((30, 20)) == pytest.approx(colour, abs=30)


def test_a_broken_picture_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"

    def frames() -> object:
        yield Image.new("RGB", (64, 48))
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        write_clip(path, frames())
    assert list(tmp_path.iterdir()) == []


def test_the_same_frames_give_the_same_file(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    large = Image.fromarray(noise).resize((400, 320), Image.Resampling.BICUBIC)
    frames = [large.crop((i, i, i + 320, i + 240)) for i in range(16)]
    for number in range(6):
        write_clip(tmp_path / f"{number}.mp4", frames)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
