"""Bad files and bombs: one line with the file's name, before a byte is decoded."""

import os
import re
import warnings
from pathlib import Path

import pytest
from PIL import Image

import locvlm
from locvlm.errors import InputError
from locvlm.media.headers import read_header
from locvlm.media.image_decoder import LIMIT, open_image_file
from locvlm.media.images import open_image
from tests.media.bad_images import BAD_IMAGES, EPS, encode, png_header

ROOT = Path(locvlm.__file__).parent


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_a_bad_image_is_one_line_with_its_name(kind: str, tmp_path: Path) -> None:
    make, words = BAD_IMAGES[kind]
    path = tmp_path / "bad.jpg"
    make(path)
    with pytest.raises(InputError, match=re.escape(words)) as error:
        open_image(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_name_that_no_file_system_takes(tmp_path: Path) -> None:
    for name in ("x" * 300 + ".jpg", "a\0b.jpg"):
        with pytest.raises(InputError, match=r"x\.jpg|b\.jpg"):
            open_image(tmp_path / name)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(InputError, match=r"pipe\.jpg.*a folder or a device"):
        open_image(tmp_path / "pipe.jpg")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all files")
def test_permission_denied(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode("JPEG"))
    (tmp_path / "a.jpg").chmod(0)
    with pytest.raises(InputError, match=r"a\.jpg.*Permission denied"):
        open_image(tmp_path / "a.jpg")


def test_eps_never_starts_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n", encoding="utf-8")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "a.jpg").write_bytes(EPS)
    for read in (open_image, read_header):
        with pytest.raises(InputError, match="EPS"):
            read(tmp_path / "a.jpg")
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "MPO"])
def test_formats_that_are_read(format: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode(format))  # whatever the name says
    assert open_image(tmp_path / "a.jpg").size == (64, 48)


def test_an_aerial_photo_is_read_without_a_warning(tmp_path: Path) -> None:
    Image.new("L", (14_000, 14_000)).save(tmp_path / "a.png", compress_level=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_header(tmp_path / "a.png").stored == (14_000, 14_000)
        with open_image_file(tmp_path / "a.png") as image:
            image.load()


def test_the_limit_can_be_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_header(20_000, 20_000))
    with pytest.raises(InputError, match=f"{LIMIT}=400000000"):
        read_header(path)
    monkeypatch.setenv(LIMIT, "400000000")
    assert read_header(path).stored == (20_000, 20_000)
    monkeypatch.setenv(LIMIT, "many")
    with pytest.raises(InputError, match="is no number of pixels"):
        read_header(path)


def test_every_file_is_opened_by_this_door() -> None:
    """Code that is printed for others, in `publishing`, is theirs."""
    calls = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for file in ROOT.rglob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if re.search(r"\bImage\.open\(|\bload_img\(|\bimread\(|\bread_image\(", line)
    ]
    assert all(call.startswith("publishing/snippets.py") for call in calls), calls
