from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locvlm.errors import InputError
from locvlm.media.images import open_image


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 100, (100, 100, 100)),
        ("RGB", (1, 2, 3), (1, 2, 3)),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("LA", (0, 0), (255, 255, 255)),  # black, but transparent: white shows
        ("RGBA", (255, 0, 0, 255), (255, 0, 0)),
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("I", 65535, (255, 255, 255)),
        ("I;16", 2**12 - 1, (255, 255, 255)),  # of 12 bits
    ],
)
def test_every_mode_becomes_rgb(mode: str, value, expected: tuple[int, int, int]):
    picture = open_image(Image.new(mode, (2, 1), value))
    assert (picture.mode, picture.size) == ("RGB", (2, 1))
    assert picture.getpixel((1, 0)) == expected


def test_palette_with_transparency(tmp_path: Path):
    image = Image.new("P", (2, 1), 0)
    image.putpalette([0, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "p.png", transparency=0)
    picture = open_image(tmp_path / "p.png")
    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 255)]


def test_16_bit_file(tmp_path: Path):
    values = np.array([[0, 257 * 128, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    picture = open_image(tmp_path / "deep.png")
    assert [picture.getpixel((x, 0))[0] for x in range(3)] == [0, 128, 255]


@pytest.mark.parametrize("as_path", [True, False])
def test_exif_orientation_is_applied(tmp_path: Path, as_path: bool):
    image = Image.new("RGB", (30, 20))
    image.paste("red", (0, 0, 10, 20))  # stored left
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to display
    path = tmp_path / "phone.png"
    image.save(path, exif=exif)
    picture = open_image(path if as_path else Image.open(path))
    assert picture.size == (20, 30)
    assert picture.getpixel((10, 2)) == (255, 0, 0)  # displayed on top
    assert picture.getpixel((10, 28)) == (0, 0, 0)


@pytest.mark.parametrize("mode", ["F", "LAB"])
def test_modes_that_nobody_can_display(mode: str):
    with pytest.raises(InputError, match=f"mode {mode}"):
        open_image(Image.new(mode, (1, 1)))
    with pytest.raises(InputError, match="beyond 16 bits"):
        open_image(Image.new("I", (1, 1), 65536))


def test_bad_files(tmp_path: Path):
    empty, text, cut = (tmp_path / name for name in ("empty.jpg", "text.jpg", "cut.jpg"))
    empty.touch()
    text.write_text("hello")
    noise = np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save(cut)
    cut.write_bytes(cut.read_bytes()[:2000])
    for path, tells in [
        (tmp_path / "none.jpg", "no such file"),
        (tmp_path, "not a readable picture"),
        (empty, "unknown format"),
        (text, "unknown format"),
        (cut, "truncated"),
    ]:
        with pytest.raises(InputError, match=tells) as caught:
            open_image(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


def test_a_picture_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Image.new("L", (100, 100)).save(tmp_path / "bomb.png")
    monkeypatch.setenv("LOCVLM_MAX_IMAGE_PIXELS", "10")
    with pytest.raises(InputError, match=r"not a readable picture \(100 × 100 pixels"):
        open_image(tmp_path / "bomb.png")


class TestAnnotated:
    def test_as_displayed(self, tmp_path: Path) -> None:
        Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
        assert open_image(tmp_path / "a.png", (30, 20)).size == (30, 20)

    def test_another_picture(self, tmp_path: Path) -> None:
        Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
        with pytest.raises(InputError, match="annotated as 20x30; use the pictures"):
            open_image(tmp_path / "a.png", (20, 30))

    def test_as_stored(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
        assert open_image(tmp_path / "a.jpg", (20, 30)).size == (20, 30)
        with pytest.raises(
            InputError, match="annotated as 30x20, as it is stored; remove its EXIF"
        ):
            open_image(tmp_path / "a.jpg", (30, 20))
