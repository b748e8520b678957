"""Blurred copies; finding faces is the detector's part, and replaced here."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.instructions import faces
from locvlm.instructions.dataset import FACES_LOG, check_output_folder
from locvlm.instructions.faces import CELLS, blur, blur_faces

FACE = Box(20, 20, 40, 40)


def noise(width: int = 80, height: int = 60) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(values)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(faces, "check_opencv", lambda: None)
    monkeypatch.setattr(faces, "find_faces", lambda image: [FACE] if image.width == 80 else [])
    (tmp_path / "in" / "deep").mkdir(parents=True)
    noise().save(tmp_path / "in" / "deep" / "face.jpg")
    noise(50).save(tmp_path / "in" / "none.png")
    return tmp_path


def run(folder: Path, *names: str) -> tuple[int, int]:
    found = blur_faces(names, folder / "in", folder / "out" / "images")
    assert (found.clips, found.cut) == (0, ())
    return found.pictures_with_faces, found.faces_blurred


class TestBlur:
    def test_nothing(self) -> None:
        assert blur(noise(), []).tobytes() == noise().tobytes()

    def test_only_the_face_and_its_margin(self) -> None:
        before, after = np.asarray(noise()), np.asarray(blur(noise(), [FACE]))
        changed = (before != after).any(axis=2)
        assert changed[16:44, 16:44].mean() > 0.95
        changed[16:44, 16:44] = False
        assert not changed.any()

    def test_little_is_left_whatever_the_size(self) -> None:
        large = noise(400, 400)
        part = blur(large, [Box(0, 0, 400, 400)])
        small = part.resize((CELLS, CELLS), Image.Resampling.BOX)
        again = small.resize(part.size, Image.Resampling.BILINEAR)
        assert np.abs(np.asarray(again, int) - np.asarray(part, int)).max() < 12

    @pytest.mark.parametrize("face", [Box(-9, -9, 3, 3), Box(79, 59, 99, 99), Box(90, 90, 99, 99)])
    def test_at_and_beyond_the_border(self, face: Box) -> None:
        assert blur(noise(), [face]).size == (80, 60)


class TestCopies:
    def test_no_pictures(self, folder: Path) -> None:
        assert run(folder) == (0, 0)

    def test_copies(self, folder: Path) -> None:
        originals = [path.read_bytes() for path in sorted((folder / "in").rglob("*.*"))]
        assert run(folder, "deep/face.jpg", "none.png") == (1, 1)
        out = folder / "out" / "images"
        assert (out / "none.png").read_bytes() == (folder / "in" / "none.png").read_bytes()
        assert (out / "deep" / "face.jpg").read_bytes() != originals[0]
        assert [path.read_bytes() for path in sorted((folder / "in").rglob("*.*"))] == originals
        assert not list(out.rglob("*.part"))

    def test_goes_on(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        run(folder, "deep/face.jpg")
        with (folder / "out" / FACES_LOG).open("a") as log:
            log.write('{"image": "no')  # the line of a run that was killed
        looked: list[int] = []
        monkeypatch.setattr(faces, "find_faces", lambda image: looked.append(image.width) or [])
        assert run(folder, "deep/face.jpg", "none.png") == (1, 1)
        assert looked == [50]
        check_output_folder(folder / "out")  # a build may go on here

    def test_changed_originals_are_copied_again(self, folder: Path) -> None:
        run(folder, "none.png")
        noise().save(folder / "in" / "none.png")
        assert run(folder, "none.png") == (1, 1)

    def test_orientation_is_applied(self, folder: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        noise(50).save(folder / "in" / "lying.jpg", exif=exif)
        run(folder, "lying.jpg")
        with Image.open(folder / "out" / "images" / "lying.jpg") as copy:
            assert copy.size == (60, 50)
            assert copy.getexif().get(0x0112, 1) == 1

    def test_originals_are_never_overwritten(self, folder: Path) -> None:
        with pytest.raises(InputError, match="would not be a copy"):
            blur_faces(["none.png"], folder / "in", folder / "in")
        with pytest.raises(InputError, match="would not be a copy"):
            run(folder, "../none.png")

    def test_broken_picture(self, folder: Path) -> None:
        (folder / "in" / "bad.jpg").write_text("no picture")
        with pytest.raises(InputError, match="bad.jpg: not a readable picture"):
            run(folder, "bad.jpg")
