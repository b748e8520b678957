"""What a picture file says about its pixels, against the picture opened."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.media.headers import Header, read_header
from locvlm.media.images import open_image

ALL = range(1, 9)  # EXIF orientations


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def chunk(kind: bytes, data: bytes) -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("orientation", [None, *range(10), 99])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff", "gif", "bmp"])
def test_size_is_that_of_the_opened_picture(
    suffix: str, orientation: int | None, tmp_path: Path
) -> None:
    path = tmp_path / f"phone.{suffix}"
    exif = {} if orientation is None else {"exif": turned(orientation)}
    Image.new("RGB", (30, 20)).save(path, **exif)
    assert read_header(path).displayed == open_image(path).size


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("orientation", ALL)
def test_a_note_behind_the_pixels_of_a_png(orientation: int, late: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (30, 20)).save(path)
    plain, note = path.read_bytes(), turned(orientation).tobytes().removeprefix(b"Exif\0\0")
    at = plain.index(b"IEND" if late else b"IDAT") - 4
    path.write_bytes(plain[:at] + chunk(b"eXIf", note) + plain[at:])
    seen = read_header(path)
    assert seen.displayed == open_image(path).size
    assert (seen.stored, seen.orientation) == ((30, 20), orientation)


@pytest.mark.parametrize("orientation", ALL)
def test_boxes_turn_with_their_pixels(orientation: int) -> None:
    image = Image.new("RGB", (8, 5))
    image.paste("white", (1, 2, 4, 3))
    file = io.BytesIO()
    image.save(file, "PNG", exif=turned(orientation))
    file.seek(0)
    box = Header((8, 5), orientation).upright(Box(1, 2, 4, 3))
    found = open_image(Image.open(file)).convert("L").getbbox()
    assert (box.x1, box.y1, box.x2, box.y2) == found


@pytest.mark.parametrize(("form", "pixels"), [("JPEG", b"\xff\xda"), ("PNG", b"IDAT")])
def test_pixels_are_not_decoded(form: str, pixels: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    Image.effect_noise((300, 200), 50).save(path, form)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(pixels) + 100])
    assert read_header(path) == Header((300, 200))
    with pytest.raises(InputError, match="not a readable picture"):
        open_image(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no such file"),
        (b"", "unknown format"),
        (b"text", "unknown format"),
        (b"\xff\xd8\xff", "not a readable picture"),
        (b"GIF89a", "not a readable picture"),
    ],
)
def test_what_is_no_picture(content: bytes | None, problem: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.png: .*{problem}") as caught:
        read_header(tmp_path / "a.png")
    assert len(str(caught.value).splitlines()) == 1
