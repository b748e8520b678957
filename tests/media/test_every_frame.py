"""All frames of a clip with their times, and copies of them."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from locvlm.errors import InputError
from locvlm.media.clip_writing import write_animation, write_timed_clip
from locvlm.media.clips import open_clip
from locvlm.media.every_frame import EveryFrame, TimedFrame, check_every_frame

pytest.importorskip("av")

from tests.clip_files import number_of, numbered, write_clip, write_gif


def animation(path: Path, kind: str) -> Path:
    frames = [numbered(number) for number in range(6)]
    lengths = [40, 80, 120, 40, 200, 60]
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], duration=lengths)
    return path


FILES: dict[str, Callable[[Path], Path]] = {
    "reordered.mp4": lambda path: write_clip(path, options={"g": "12", "bf": "3"}),
    "reordered.avi": lambda path: write_clip(path, options={"g": "12", "bf": "2"}),
    "uneven.mkv": lambda path: write_clip(path, count=5, times=[0, 40, 400, 410, 1000]),
    "turned.mov": lambda path: write_clip(path, count=9, turned=90),
    "vp9.webm": lambda path: write_clip(path, "libvpx-vp9", count=20),
    "stream.ts": lambda path: write_clip(path, options={"g": "12", "bf": "3"}),
    "stream.flv": lambda path: write_clip(path, options={"g": "12"}),
    "a.gif": lambda path: write_gif(path, [40, 100, 20, 300]),
    "a.webp": lambda path: animation(path, "WEBP"),
    "a.png": lambda path: animation(path, "PNG"),
}


@pytest.mark.parametrize("name", FILES)
def test_all_that_is_shown_and_when(name: str, tmp_path: Path) -> None:
    path = FILES[name](tmp_path / name)
    every = EveryFrame(path)
    frames = list(every)
    clip = open_clip(path, 200)
    starts = sorted(set(clip.times))
    assert [float(frame.start * every.unit) for frame in frames] == pytest.approx(starts)
    shown = dict(zip(clip.times, clip.frames, strict=True))
    for frame, start in zip(frames, starts, strict=True):
        assert np.array_equal(np.asarray(frame.image), np.asarray(shown[start]))
    assert all(one.start + one.length == other.start for one, other in pairwise(frames))
    assert not every.damaged
    check_every_frame(path)


@pytest.mark.parametrize("name", FILES)
def test_copies_show_the_same_at_the_same_times(name: str, tmp_path: Path) -> None:
    path, copy = FILES[name](tmp_path / name), tmp_path / f"copy-{name}"
    every = EveryFrame(path)
    if name.endswith(("gif", "webp", "png")):
        write_animation(copy, every, every.unit)
    else:
        write_timed_clip(copy, every, every.unit, every.pixel_aspect)
    one, other = open_clip(path, 60), open_clip(copy, 60)
    assert one.size == other.size
    assert other.times == pytest.approx(one.times, abs=0.001)
    assert not other.remarks
    for before, after in zip(one.frames, other.frames, strict=True):
        difference = np.abs(np.asarray(before, int) - np.asarray(after, int))
        assert difference.mean() < (12 if name != "a.gif" else 0.01)
    assert len(list(EveryFrame(copy))) == len(list(EveryFrame(path)))


@settings(max_examples=20, deadline=None)
@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    lengths=st.lists(st.integers(1, 900), min_size=1, max_size=6),
    unit=st.sampled_from([Fraction(1, 90000), Fraction(1001, 30000), Fraction(1, 1000)]),
)
def test_any_size_and_times(
    tmp_path_factory: pytest.TempPathFactory,
    size: tuple[int, int],
    lengths: list[int],
    unit: Fraction,
) -> None:
    path = tmp_path_factory.mktemp("clips") / "a.mp4"
    frames, start = [], 0
    for number, length in enumerate(lengths):
        frames.append(TimedFrame(Image.new("RGB", size, (40 * number,) * 3), start, length))
        start += length
    write_timed_clip(path, frames, unit, Fraction(1))
    every = EveryFrame(path)
    again = list(every)
    assert [frame.image.size for frame in again] == [size] * len(lengths)
    for one, other in zip(frames, again, strict=True):
        assert other.start * every.unit == one.start * unit
        assert other.length * every.unit == one.length * unit


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", count=5, options={"x264-params": "sar=2/1"})
    every = EveryFrame(path)
    write_timed_clip(tmp_path / "b.mp4", every, every.unit, every.pixel_aspect)
    assert open_clip(tmp_path / "b.mp4").stretch == open_clip(path).stretch == 2


def test_a_clip_that_is_cut(tmp_path: Path) -> None:
    path = write_gif(tmp_path / "a.gif")
    path.write_bytes(path.read_bytes()[:-500])
    every = EveryFrame(path)
    frames = list(every)
    assert every.damaged
    assert 40 < len(frames) < 50
    numbers = [number_of(frame.image) for frame in frames[:-1]]  # the last one is half there
    assert numbers == [*range(len(numbers))]


def test_a_gif_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_gif(tmp_path / "a.gif", [40, 100, 20, 300])
    every = EveryFrame(path)
    monkeypatch.setattr("locvlm.media.every_frame.find_spec", lambda _: None)
    for one, other in zip(every, other_way := EveryFrame(path), strict=True):
        assert np.array_equal(np.asarray(one.image), np.asarray(other.image))
        assert one.start * every.unit == other.start * other_way.unit
        assert one.length * every.unit == other.length * other_way.unit


def test_no_clip(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no clip")
    with pytest.raises(InputError, match="a.mp4: not a readable clip"):
        EveryFrame(tmp_path / "a.mp4")
