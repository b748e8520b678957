"""Frames of real files: whole, odd, cut and none at all."""

import os
import struct
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from locvlm.errors import InputError
from locvlm.media import containers, decoding
from locvlm.media.clips import Clip, check_clip, count_frames, is_clip, open_clip
from locvlm.media.every_frame import check_every_frame
from locvlm.media.timeline import read_timeline
from locvlm.media.wholeness import read_boxes

av = pytest.importorskip("av")

from tests.clip_files import number_of, numbered, write_clip, write_gif  # noqa: E402

FILES: dict[str, Callable[[Path], Path]] = {
    "h264.mp4": lambda path: write_clip(path, options={"g": "12", "bf": "3"}),
    "one-key.mp4": lambda path: write_clip(path),
    "open.mkv": lambda path: write_clip(path, options={"x264-params": "keyint=12:open-gop=1"}),
    "mpeg4.mp4": lambda path: write_clip(path, "mpeg4", options={"g": "12", "bf": "2"}),
    "fragments.mov": lambda path: write_clip(
        path, options={"g": "12"}, container={"movflags": "frag_keyframe+empty_moov"}
    ),
    "vp9.webm": lambda path: write_clip(path, "libvpx-vp9", options={"g": "12"}),
    "vp8.webm": lambda path: write_clip(path, "libvpx", options={"auto-alt-ref": "1"}),
    "mpeg4.avi": lambda path: write_clip(path, "mpeg4", options={"g": "12"}),
    "motion.avi": lambda path: write_clip(path, "mjpeg", pixels="yuvj420p"),
    "stream.mpg": lambda path: write_clip(path, "mpeg2video", options={"g": "12", "bf": "2"}),
    "stream.ts": lambda path: write_clip(path, options={"g": "12", "bf": "3"}),
    "camera.m2ts": lambda path: write_clip(path, "mpeg2video", options={"g": "12", "bf": "2"}),
    "stream.flv": lambda path: write_clip(path, options={"g": "12"}),
    "stream.wmv": lambda path: write_clip(path, "wmv2", options={"g": "12"}),
    "pictures.gif": write_gif,
}


def numbers(clip: Clip) -> list[int]:
    return [number_of(frame) for frame in clip.frames]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {name: write(folder / name) for name, write in FILES.items()}


@pytest.mark.parametrize("name", FILES)
def test_uniform_frames_of(name: str, files: dict[str, Path]) -> None:
    clip = open_clip(files[name])
    assert numbers(clip) == [3, 9, 15, 21, 28, 34, 40, 46]
    assert clip.times == pytest.approx([0.04 * number for number in numbers(clip)], abs=0.021)
    assert clip.size == (64, 48)
    assert not clip.cut
    assert {(frame.mode, frame.size) for frame in clip.frames} == {("RGB", (64, 48))}


@pytest.mark.parametrize("count", [1, 2, 50, 100])
@pytest.mark.parametrize("name", FILES)
def test_sought_frames_are_those_decoded_from_the_beginning(
    name: str, count: int, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = open_clip(files[name], count)
    monkeypatch.setattr(decoding, "_sought", lambda *_: None)
    plain = open_clip(files[name], count)
    assert found.times == plain.times
    assert len(found.frames) == count
    for one, other in zip(found.frames, plain.frames, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize("count", [2, 7, 50])
@pytest.mark.parametrize("name", FILES)
def test_frames_picked_without_seeking_are_those_decoded_from_the_beginning(
    name: str, count: int, files: dict[str, Path]
) -> None:
    timeline = read_timeline(files[name])
    times = timeline.middles(count)
    found = decoding._picked(files[name], timeline.keys, times)
    plain, damaged = decoding._from_the_beginning(files[name], times)
    assert not damaged
    if found is None:  # of one key frame
        assert len(timeline.keys) == 1
        return
    assert [time for _, time in found] == [time for _, time in plain]
    for (one, _), (other, _) in zip(found, plain, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))


def test_a_long_clip_is_sought(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(decoding, "_from_the_beginning")
    for name in ("h264.mp4", "stream.ts", "camera.m2ts", "stream.mpg", "stream.wmv", "stream.flv"):
        assert numbers(open_clip(files[name])) == [3, 9, 15, 21, 28, 34, 40, 46]


@given(st.lists(st.integers(2, 20), min_size=1, max_size=20), st.integers(1, 12))
def test_uniform_in_time_not_in_number(lengths: list[int], count: int) -> None:
    shown: list[Any] = [
        (10 * sum(lengths[:number]), fake(number)) for number in range(len(lengths))
    ]
    total = 10 * sum(lengths)
    middles = [(2 * part + 1) * total / (2 * count) for part in range(count)]
    expected = [max(n for n, (t, _) in enumerate(shown) if t <= m) for m in middles]
    rows = decoding._shown(iter(shown), [int(middle) for middle in middles])
    assert [number_of(picture) for picture, _ in rows] == expected
    assert [start for _, start in rows] == [shown[number][0] for number in expected]


def fake(number: int) -> "av.VideoFrame":
    return av.VideoFrame.from_image(numbered(number))


def test_variable_frame_rate(tmp_path: Path) -> None:
    times = [0, 10, 20, 30, 40, 50, 60, 70, 80, 1000, 1800]  # nine frames in a moment
    path = write_clip(tmp_path / "slow.mkv", count=11, times=times)
    clip = open_clip(path, 4)
    assert numbers(clip) == [8, 8, 9, 9]
    assert clip.times == (0.08, 0.08, 1.0, 1.0)
    assert clip.frames[0] is clip.frames[1]
    gif = write_gif(tmp_path / "slow.gif", [20, 20, 20, 940, 1000])
    assert numbers(open_clip(gif, 4)) == [3, 3, 4, 4]


def test_an_avi_that_says_when_frames_are_decoded_alone(tmp_path: Path) -> None:
    clip = open_clip(write_clip(tmp_path / "a.avi", options={"bf": "3", "g": "12"}))
    assert numbers(clip) == [3, 9, 15, 21, 28, 34, 40, 46]
    assert np.diff(clip.times) == pytest.approx(0.24, abs=0.05)
    assert not clip.cut


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_no_clip(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    for read in (open_clip, check_clip):
        with pytest.raises(InputError, match=r"a\.mp4: no such file"):
            read(tmp_path / "a.mp4")


def test_the_beginning_is_that_of_the_pictures(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "late.mkv", count=3, times=[5000, 5040, 5080])
    assert open_clip(path, 3).times == pytest.approx([0, 0.04, 0.08])


def corner(number: int) -> Image.Image:
    """White, with a black corner at the top on the left."""
    picture = Image.new("RGB", (64, 48), "white")
    picture.paste("black", (0, 0, 32, 16))
    return picture


def black(frame: Image.Image) -> tuple[int, int, int, int]:
    dark = np.asarray(frame.convert("L")) < 128
    ys, xs = np.nonzero(dark)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


@pytest.mark.parametrize(
    ("turned", "mirrored", "size", "box"),
    [
        (0, False, (64, 48), (0, 0, 32, 16)),
        (90, False, (48, 64), (0, 32, 16, 64)),
        (180, False, (64, 48), (32, 32, 64, 48)),
        (270, False, (48, 64), (32, 0, 48, 32)),
        (0, True, (64, 48), (32, 0, 64, 16)),
    ],
)
@pytest.mark.parametrize("name", ["phone.mp4", "phone.mkv"])
def test_upright(
    name: str,
    turned: int,
    mirrored: bool,
    size: tuple[int, int],
    box: tuple[int, int, int, int],
    tmp_path: Path,
) -> None:
    path = write_clip(tmp_path / name, count=3, picture=corner, turned=turned, mirrored=mirrored)
    clip = open_clip(path, 2)
    assert clip.size == size
    assert [black(frame) for frame in clip.frames] == [box, box]


def test_turned_a_little(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", count=2, turned=30)
    with pytest.raises(InputError, match=r"a\.mp4: .*no multiple of 90°"):
        open_clip(path)


def test_transparency_on_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    clear.paste((255, 0, 0, 255), (0, 0, 10, 20))
    clear.save(tmp_path / "a.gif")
    frame = open_clip(tmp_path / "a.gif", 1).frames[0]
    assert frame.getpixel((5, 5)) == (255, 0, 0)
    assert frame.getpixel((15, 5)) == (255, 255, 255)


def cut(path: Path, share: float = 0.5) -> Path:
    whole = path.read_bytes()
    part = path.with_name(f"cut-{path.name}")
    part.write_bytes(whole[: int(share * len(whole))])
    return part


def noisy(number: int) -> Image.Image:
    """So that a frame takes some bytes."""
    noise = np.random.default_rng(number).integers(-100, 101, (48, 64, 3))
    return Image.fromarray((np.asarray(numbered(number)) + noise).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.webm", "libvpx-vp9", {}),
        ("a.mkv", "libx264", {}),
        ("front.mp4", "libx264", {"movflags": "faststart"}),
    ],
)
def test_a_clip_whose_tail_is_missing(
    name: str, codec: str, options: dict[str, str], tmp_path: Path
) -> None:
    path = write_clip(tmp_path / name, codec, picture=noisy, options={"g": "5"}, container=options)
    clip = open_clip(cut(path))
    assert clip.cut
    seen = numbers(clip)
    assert seen == sorted(seen)
    assert len(clip.frames) == 8
    assert 15 < seen[-1] < 35


def test_a_gif_whose_tail_is_missing(tmp_path: Path) -> None:
    clip = open_clip(cut(write_gif(tmp_path / "a.gif")))
    assert clip.cut
    assert 15 < numbers(clip)[-1] < 30


def test_its_index_is_missing(tmp_path: Path) -> None:
    path = cut(write_clip(tmp_path / "a.mp4"), 0.9)
    with pytest.raises(
        InputError, match=r"cut-a\.mp4: not a readable clip \(its index, .* missing"
    ):
        open_clip(path)
    whole = write_clip(tmp_path / "b.mp4")
    assert b"moov" in read_boxes(whole)


def test_the_end_of_a_stream_is_told_though_no_frame_of_it_is_shown(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.ts", picture=noisy, options={"g": "5"})
    assert not open_clip(path, 1).cut
    path.write_bytes(path.read_bytes()[:-100])
    assert open_clip(path, 1).cut


def test_damaged_in_the_middle(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", picture=noisy, options={"g": "5"})
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 10_000] = bytes(10_000)
    path.write_bytes(whole)
    clip = open_clip(path)
    assert clip.cut
    assert numbers(clip)[:3] == [3, 9, 15]
    assert numbers(clip)[-2:] == [40, 46]


def test_one_frame(tmp_path: Path) -> None:
    numbered(7).save(tmp_path / "a.gif")
    clip = open_clip(tmp_path / "a.gif")
    assert numbers(clip) == [7] * 8
    assert clip.times == (0,) * 8
    assert numbers(open_clip(write_clip(tmp_path / "a.mp4", count=1))) == [0] * 8


def test_the_content_tells_not_the_name(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4").rename(tmp_path / "a.gif")
    assert numbers(open_clip(path, 2)) == [12, 37]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("name", ["a.gif", "a.mp4", "a"])
def test_a_still_is_a_clip_of_one_frame_whatever_its_name(
    form: str, name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    numbered(7).save(path, form)
    clip = open_clip(path, 3)
    assert (numbers(clip), clip.times, count_frames(path)) == ([7] * 3, (0, 0, 0), 1)
    check_clip(path)
    path.write_bytes(path.read_bytes()[:40])
    for read in (open_clip, check_clip):
        with pytest.raises(InputError, match="not a readable picture"):
            read(path)


@pytest.mark.parametrize(("form", "name"), [("WEBP", "a.webp"), ("PNG", "a.png"), ("PNG", "a.mp4")])
def test_animations(form: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    frames = [numbered(number) for number in range(4)]
    lengths = [100, 100, 100, 300]
    options = {"lossless": True} if form == "WEBP" else {}
    frames[0].save(path, form, save_all=True, append_images=frames[1:], duration=lengths, **options)
    clip = open_clip(path, 6)
    assert numbers(clip) == [0, 1, 2, 3, 3, 3]
    assert clip.times == pytest.approx([0, 0.1, 0.2, 0.3, 0.3, 0.3])
    assert (clip.cut, count_frames(path)) == (False, 4)
    check_clip(path)


def test_an_animation_whose_tail_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    frames = [noisy(number) for number in range(8)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    clip = open_clip(cut(path), 3)
    assert clip.cut
    assert clip.times[-1] <= 0.5


def joined(folder: Path, name: str, codec: str) -> Path:
    """Two clips in one file, each with a clock of its own."""
    options = {"g": "12"}
    first = write_clip(folder / f"1-{name}", codec, options=options)
    second = write_clip(
        folder / f"2-{name}", codec, options=options, picture=lambda number: numbered(number + 100)
    )
    path = folder / name
    path.write_bytes(first.read_bytes() + second.read_bytes())
    return path


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mpg", "mpeg2video"), ("a.ts", "libx264"), ("a.webm", "libvpx"), ("a.mkv", "libx264")],
)
def test_a_clock_that_starts_again(
    name: str, codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = joined(tmp_path, name, codec)
    monkeypatch.delattr(decoding, "_from_the_beginning")  # what is not needed is not decoded
    clip = open_clip(path)
    assert numbers(clip) == [6, 18, 31, 43, 106, 118, 131, 143]
    assert clip.times == pytest.approx([0.04 * n for n in [6, 18, 31, 43, 56, 68, 81, 93]])
    assert clip.jumps == 1
    assert any("its clock starts again or jumps (1 times)" in note for note in clip.notes)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mov", "mpeg4"), ("a.wmv", "wmv2"), ("a.flv", "flv")],
)
def test_another_file_behind_a_clip(name: str, codec: str, tmp_path: Path) -> None:
    """FFmpeg reads the first alone."""
    clip = open_clip(joined(tmp_path, name, codec))
    assert numbers(clip) == [3, 9, 15, 21, 28, 34, 40, 46]
    assert (clip.more, clip.cut) == (True, False)
    assert clip.remarks == ("another clip follows in the file, which is not read; split the file",)
    assert not open_clip(tmp_path / f"1-{name}").more


def test_a_clock_that_jumps_ahead(tmp_path: Path) -> None:
    times = [40 * number + (3_600_000 if number >= 25 else 0) for number in range(50)]
    path = write_clip(tmp_path / "a.ts", options={"g": "5"}, times=times)
    clip = open_clip(path)
    assert clip.jumps == 1
    assert numbers(clip) == pytest.approx([3, 9, 15, 21, 28, 34, 40, 46], abs=1)
    still = write_clip(tmp_path / "a.mkv", options={"g": "5"}, times=times)  # as slides have it
    assert open_clip(still, 3).jumps == 0


def two_streams(path: Path, *, default: int | None) -> Path:
    """A small preview (0), and the clip (1)."""
    from av.stream import Disposition

    with av.open(str(path), "w") as file:
        streams = []
        for size in ((32, 24), (64, 48)):
            stream = file.add_stream("libx264", rate=25)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            streams.append(stream)
        for number, stream in enumerate(streams):
            if default is not None:
                stream.disposition = Disposition.default if number == default else Disposition(0)
        for number in range(5):
            for stream in streams:
                picture = numbered(number).resize((stream.width, stream.height))
                frame = av.VideoFrame.from_image(picture)
                frame.pts = number
                file.mux(stream.encode(frame))
        for stream in streams:
            file.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("name", "default", "size"),
    [("a.ts", None, (64, 48)), ("a.mkv", 1, (64, 48)), ("a.mkv", 0, (32, 24))],
)
def test_two_streams(name: str, default: int | None, size: tuple[int, int], tmp_path: Path) -> None:
    assert open_clip(two_streams(tmp_path / name, default=default), 2).size == size


@pytest.mark.parametrize(("turned", "stretch", "shown"), [(0, 1.5, "96x48"), (90, 2 / 3, "32x64")])
def test_pixels_that_are_not_square(
    turned: int, stretch: float, shown: str, tmp_path: Path
) -> None:
    options = {"x264-params": "sar=3/2"}
    clip = open_clip(write_clip(tmp_path / "a.mp4", options=options, count=3, turned=turned), 2)
    assert float(clip.stretch) == pytest.approx(stretch)
    [note] = clip.notes
    own = f"{clip.size[0]}x{clip.size[1]}"
    assert f"{stretch:.4g} times as wide, {shown}; boxes are in its own pixels, {own}" in note


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.flv", "flv"), ("a.flv", "libx264"), ("a.mpg", "mpeg2video"), ("a.ts", "libx264")],
)
def test_damage_is_told_and_the_rest_is_read(name: str, codec: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / name, codec, picture=noisy, options={"g": "5"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    noise = np.random.default_rng(0).integers(0, 256, 4096, np.uint8).tobytes()
    data[middle : middle + 4096] = noise
    path.write_bytes(data)
    clip = open_clip(path)
    assert clip.cut
    assert clip.times[0] < 0.3
    assert clip.times[-1] > 1.5


def no_clip(folder: Path, name: str) -> Path:
    path = folder / "a.mp4"
    match name:
        case "text":
            path.write_text("no clip\n" * 1000)
        case "empty":
            path.write_bytes(b"")
        case "zeros":
            path.write_bytes(bytes(5000))
        case "a web page":
            path.write_text("<!DOCTYPE html><html>404</html>")
        case "a list of other files":
            write_clip(folder / "b.mp4", count=2)
            path.write_text("ffconcat version 1.0\nfile b.mp4\n")
        case "folder":
            path.mkdir()
        case "sound":
            with av.open(str(path), "w") as file:
                stream = file.add_stream("aac", rate=44100)
                silence = np.zeros((1, 1024), np.float32)
                frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
                frame.sample_rate = 44100
                file.mux([*stream.encode(frame), *stream.encode()])
        case "no frames":
            write_clip(path, count=0)
        case "20,000 × 20,000 pixels" | "15,000 × 15,000 pixels":
            numbered(1).save(path, "GIF")
            header = bytearray(path.read_bytes())
            side = int(name[:6].replace(",", ""))
            header[6:10] = struct.pack("<HH", side, side)
            path.write_bytes(header)
    return path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text", "not a readable clip"),
        ("empty", r"not a readable clip \(the file is empty\)"),
        ("zeros", r"not a readable clip \(zeros alone, as a broken download"),
        ("a web page", r"not a readable clip \(a web page, such as a failed download"),
        ("a list of other files", "unknown format"),
        ("folder", "no such file"),
        ("missing", "no such file"),
        ("sound", "has no pictures"),
        ("no frames", "a.mp4"),
        ("20,000 × 20,000 pixels", "no frame of it can be decoded"),
        ("15,000 × 15,000 pixels", "15000 × 15000 pixels"),
    ],
)
def test_no_clip(name: str, message: str, tmp_path: Path) -> None:
    path = no_clip(tmp_path, name)
    with pytest.raises(InputError, match=message) as raised:
        open_clip(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_frames_of_several_sizes(tmp_path: Path) -> None:
    path = tmp_path / "a.webm"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libvpx", rate=25)
        stream.width, stream.height = 64, 48
        for part, size in enumerate([(64, 48), (96, 48)]):
            encoder = av.CodecContext.create("libvpx", "w")
            encoder.width, encoder.height = size
            encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 25)
            for number in (2 * part, 2 * part + 1):
                frame = av.VideoFrame.from_image(numbered(0).resize(size))
                frame.pts = number
                mux(file, stream, encoder.encode(frame))
            mux(file, stream, encoder.encode())
    with pytest.raises(InputError, match=r"several sizes, \[\(64, 48\), \(96, 48\)\]"):
        open_clip(path)
    with pytest.raises(InputError, match=r"several sizes, \[\(64, 48\), \(96, 48\)\]"):
        check_every_frame(path)


def mux(file: Any, stream: Any, packets: list[Any]) -> None:
    for packet in packets:
        packet.stream, packet.time_base = stream, Fraction(1, 25)
        file.mux(packet)


def test_no_frames_wanted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 1 frame"):
        open_clip(tmp_path / "a.mp4", 0)


def test_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "a.mp4", count=1)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"pip install 'locvlm\[video\]'"):
        open_clip(path)


@given(seed=st.integers(0, 2**32 - 1))
def test_any_damage_is_an_input_error(seed: int, files: dict[str, Path]) -> None:
    rng = np.random.default_rng(seed)
    path = files[rng.choice(sorted(files))]
    whole = np.frombuffer(path.read_bytes(), np.uint8).copy()
    places = rng.integers(0, len(whole), rng.integers(1, 40))
    whole[places] = rng.integers(0, 256, len(places))
    hurt = path.with_name(f"hurt{path.suffix}")
    hurt.write_bytes(whole[: rng.integers(1, len(whole) + 1)].tobytes())
    try:
        clip = open_clip(hurt)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert len(clip.frames) == len(clip.times) == 8


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.MP4", True), ("b/c.webm", True), ("a.gif", True), ("a.jpg", False), ("mp4", False)],
)
def test_is_clip(name: str, expected: bool) -> None:
    assert is_clip(name) == expected
    assert is_clip(Path(name)) == expected


def test_bound_of_pixels_is_that_of_pictures() -> None:
    assert containers.LARGEST == 2 * (1024 * 1024 * 1024 // 4 // 3)  # Pillow's default, doubled
