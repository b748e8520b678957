"""Blurred copies of clips; finding faces is the detector's part, and replaced here."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locvlm.geometry import Box
from locvlm.instructions import faces
from locvlm.instructions.clip_faces import copy_clip, is_moving
from locvlm.instructions.faces import FACES_LOG, BlurSummary, blur, blur_faces
from locvlm.media.clips import open_clip
from locvlm.media.every_frame import EveryFrame
from locvlm.media.opening import open_media

pytest.importorskip("av")

from tests.clip_files import numbered, write_clip, write_gif

FACE = Box(40, 10, 60, 30)  # has a face's chessboard in every frame
WITH = (3, 4, 6, 20)  # frames that the detector finds it in


def scene(number: int) -> Image.Image:
    """A number, in gray below, and a chessboard that a blur takes away."""
    image = Image.new("RGB", (101, 75), "gray")
    image.paste(numbered(number).resize((64, 20)), (0, 50))
    squares = np.indices((20, 20)).sum(0) // 4 % 2 * 255
    image.paste(Image.fromarray(squares.astype(np.uint8)), (40, 10))
    return image


def number_in(image: Image.Image) -> int:
    levels = np.asarray(image.convert("L"))[54:66, :64].reshape(12, 8, 8).mean((0, 2))
    return int(np.packbits(levels > 127, bitorder="little")[0])


def is_blurred(image: Image.Image) -> bool:
    return np.asarray(image.convert("L"))[10:30, 40:60].std() < 60


def find(image: Image.Image) -> list[Box]:
    return [FACE] if number_in(image) in WITH else []


def write_animation(path: Path, kind: str) -> Path:
    frames = [scene(number) for number in range(25)]
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], duration=40)
    return path


FILES: dict[str, Callable[[Path], Path]] = {
    "a.mkv": lambda path: write_clip(path, "ffv1", picture=scene, pixels="bgr0", count=25),
    "a.gif": lambda path: write_animation(path, "GIF"),
    "a.webp": lambda path: write_animation(path, "WEBP"),
    "a.png": lambda path: write_animation(path, "PNG"),
}


@pytest.mark.parametrize("name", FILES)
def test_each_frame_and_its_neighbours(name: str, tmp_path: Path) -> None:
    """What is missed between two finds, or at their ends, does not flash through."""
    source, target = FILES[name](tmp_path / name), tmp_path / "copy" / name
    target.parent.mkdir()
    count = copy_clip(source, target, find, blur)
    assert (count.frames, count.with_faces, count.faces, count.cut) == (25, 4, 4, False)
    frames = [frame.image for frame in EveryFrame(target)]
    assert [number_in(frame) for frame in frames] == [*range(25)]
    blurred = [number for number, frame in enumerate(frames) if is_blurred(frame)]
    assert blurred == [2, 3, 4, 5, 6, 7, 19, 20, 21]
    one, other = open_clip(source, 25), open_clip(target, 25)
    assert (one.size, one.times) == (other.size, pytest.approx(other.times, abs=0.001))
    assert [path.name for path in target.parent.iterdir()] == [name]
    if name != "a.mkv":  # a model of images is shown its first frame, still
        assert open_media(target).size == one.size


def test_without_faces_as_it_is(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", count=5)
    count = copy_clip(source, tmp_path / "b.mp4", lambda _: [], blur)
    assert (count.frames, count.faces) == (5, 0)
    assert (tmp_path / "b.mp4").read_bytes() == source.read_bytes()


def test_equal_frames_are_looked_at_once(tmp_path: Path) -> None:
    source = write_clip(
        tmp_path / "a.mkv", "ffv1", picture=lambda _: scene(3), pixels="bgr0", count=25
    )
    looked = []
    count = copy_clip(source, tmp_path / "b.mkv", lambda i: looked.append(i) or [FACE], blur)
    assert (len(looked), count.faces) == (1, 25)
    assert all(is_blurred(frame.image) for frame in EveryFrame(tmp_path / "b.mkv"))


def test_what_moves(tmp_path: Path) -> None:
    scene(0).save(tmp_path / "still.gif")
    scene(0).save(tmp_path / "still.png")
    scene(0).save(tmp_path / "jpeg.mp4", "JPEG")
    assert not any(is_moving(path) for path in tmp_path.iterdir())
    assert is_moving(write_clip(tmp_path / "one.mp4", count=1))  # no decoder of images takes it
    assert is_moving(write_gif(tmp_path / "gif.png"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(faces, "check_opencv", lambda: None)
    monkeypatch.setattr(faces, "find_faces", find)
    (tmp_path / "in" / "deep").mkdir(parents=True)
    FILES["a.mkv"](tmp_path / "in/deep/a.mkv")
    FILES["a.gif"](tmp_path / "in/a.gif")
    scene(20).save(tmp_path / "in/still.jpg")
    return tmp_path


def run(folder: Path, *names: str) -> BlurSummary:
    return blur_faces(names, folder / "in", folder / "out/images")


class TestCopies:
    def test_counts(self, folder: Path) -> None:
        found = run(folder, "deep/a.mkv", "a.gif", "still.jpg")
        assert (found.pictures_with_faces, found.faces_blurred) == (1, 1)
        assert (found.clips, found.clips_with_faces, found.clip_faces_blurred) == (2, 2, 8)
        assert found.cut == ()

    def test_goes_on(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A run is stopped within a clip: what is done stays, and nothing half is there."""
        run(folder, "a.gif")
        looked = []

        def stop(image: Image.Image) -> list[Box]:
            looked.append(image)
            if len(looked) == 9:
                raise KeyboardInterrupt
            return find(image)

        monkeypatch.setattr(faces, "find_faces", stop)
        with pytest.raises(KeyboardInterrupt):
            run(folder, "a.gif", "deep/a.mkv")
        assert not list((folder / "out/images/deep").iterdir())
        found = run(folder, "a.gif", "deep/a.mkv")
        assert (found.clips_with_faces, len(looked)) == (2, 9 + 25)
        log = (folder / "out" / FACES_LOG).read_text()
        assert '"frames": 25, "frames_with_faces": 4, "clip_faces": 4' in log

    def test_gif_of_an_older_version(self, folder: Path) -> None:
        """Copied when only its first frame was looked at: it is done again."""
        run(folder, "a.gif")
        log = folder / "out" / FACES_LOG
        log.write_text(log.read_text().replace('"frames": 25, ', ""))
        (folder / "out/images/a.gif").write_bytes(b"old")
        run(folder, "a.gif")
        assert open_clip(folder / "out/images/a.gif").size == (101, 75)

    def test_cut(self, folder: Path) -> None:
        path = folder / "in/a.gif"
        path.write_bytes(path.read_bytes()[:-500])
        found = run(folder, "a.gif")
        assert found.cut == ("a.gif",)
        assert "blurred copies have what there is" in found.remarks[0]
        assert not open_clip(folder / "out/images/a.gif").cut

    def test_another_clip_behind(self, folder: Path) -> None:
        path = write_clip(folder / "in/b.mp4", "mpeg4", picture=scene, count=5)
        path.write_bytes(path.read_bytes() * 2)
        found = run(folder, "b.mp4")
        assert (found.more, found.cut) == (("b.mp4",), ())
        assert "it is not copied; split the file" in found.remarks[0]
