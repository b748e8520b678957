"""Known again: the same file, and the same picture written in another way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from locvlm.media import fingerprints
from locvlm.media.fingerprints import (
    NEAR,
    Fingerprint,
    count_differing,
    equal_pairs,
    find_copies,
    near_pairs,
    read_fingerprint,
    read_fingerprints,
    stack_looks,
)


def scene(seed: int, size: tuple[int, int] = (240, 180)) -> Image.Image:
    """Soft blobs in which no two seeds are alike."""
    colors = np.random.default_rng(seed).integers(20, 235, (14, 18, 3), dtype=np.uint8)
    return Image.fromarray(colors).resize(size, Image.Resampling.BICUBIC)


def look(image: Image.Image, path: Path, **options: object) -> Fingerprint:
    image.save(path, **options)
    found = read_fingerprint(path)
    assert found is not None
    return found


CHANGES = {
    "compressed": lambda image: image,
    "half": lambda image: image.resize((120, 90)),
    "other sides": lambda image: image.resize((320, 320)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "gray": lambda image: image.convert("L"),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_near_and_not_equal(tmp_path, change):
    whole = look(scene(1), tmp_path / "a.png")
    copy = look(CHANGES[change](scene(1)), tmp_path / "b.jpg", quality=40)
    assert whole.digest != copy.digest
    assert count_differing(whole, copy) <= NEAR
    assert find_copies([copy, whole], [whole]) == ["near", "equal"]


def test_other_pictures_and_mirrored_ones_are_far(tmp_path):
    first, second = (look(scene(seed), tmp_path / f"{seed}.png") for seed in (1, 2))
    mirrored = look(ImageOps.mirror(scene(1)), tmp_path / "m.png")
    assert count_differing(first, second) > 2 * NEAR
    assert find_copies([second, mirrored], [first]) == ["", ""]


def test_a_photo_that_lies_is_known_as_it_is_displayed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° to the right
    upright = look(scene(3), tmp_path / "upright.jpg")
    lying = look(
        scene(3).transpose(Image.Transpose.ROTATE_90), tmp_path / "lying.jpg", exif=exif.tobytes()
    )
    assert count_differing(upright, lying) <= NEAR


def test_plain_surfaces_have_no_look(tmp_path):
    gray, black = (
        look(Image.new("RGB", (60, 60), color), tmp_path / f"{color}.png")
        for color in ("gray", "black")
    )
    assert (gray.look, black.look) == (b"", b"")
    assert find_copies([gray, black], [gray]) == ["equal", ""]
    assert count_differing(gray, black) == 256


def test_what_cannot_be_decoded_has_its_digest_alone(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (tmp_path / "clip.mp4").write_bytes(b"a clip")
    scene(1).save(tmp_path / "a.png")
    names = ["broken.jpg", "clip.mp4", "gone.jpg", "a.png"]
    broken, clip, gone, whole = read_fingerprints(tmp_path, names)
    assert broken and clip and whole
    assert (broken.look, clip.look, gone) == (b"", b"", None)
    assert len(whole.look) == 32


def test_sixteen_bits_are_not_white(tmp_path):
    gray = np.asarray(scene(4).convert("L"))
    deep = look(Image.fromarray(gray.astype(np.uint16) * 257), tmp_path / "deep.png")
    plain = look(Image.fromarray(gray), tmp_path / "plain.png")
    assert count_differing(deep, plain) <= 2


def test_equal_files_are_paired_with_the_first():
    one, two = Fingerprint("1"), Fingerprint("2")
    first, second = equal_pairs([one, two, None, one, two, one, None])
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 3), (0, 5), (1, 4)]


@pytest.fixture(scope="module")
def looks() -> np.ndarray:
    """Some thousand hashes, a few of them near each other."""
    rng = np.random.default_rng(0)
    found = rng.integers(0, 2**63, (4500, 4), dtype=np.uint64)
    found[4400:] = found[:100] ^ np.uint64(0b1111111)  # 28 bits
    found[4300:4400] = found[100:200] ^ np.uint64(0b11111111111)  # 44 bits: too many
    return found


def test_pairs_are_found_across_blocks(looks):
    found = {
        pair for a, b in near_pairs(looks) for pair in zip(a.tolist(), b.tolist(), strict=True)
    }
    assert found == {(k, 4400 + k) for k in range(100)}
    between = [
        pair
        for a, b in near_pairs(looks[4400:], looks)
        for pair in zip(a.tolist(), b.tolist(), strict=True)
    ]
    assert sorted(between) == sorted(
        [(k, k) for k in range(100)] + [(k, 4400 + k) for k in range(100)]
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(min_size=32, max_size=32), max_size=12), st.integers(0, 256))
def test_pairs_are_those_of_every_comparison(hashes, most):
    prints = [Fingerprint(str(k), each) for k, each in enumerate(hashes)]
    places, looks = stack_looks([None, *prints])
    assert places.tolist() == [k + 1 for k in range(len(hashes))]
    expected = {
        (i, j)
        for j in range(len(prints))
        for i in range(j)
        if count_differing(prints[i], prints[j]) <= most
    }
    found = [
        pair
        for a, b in near_pairs(looks, most=most)
        for pair in zip(a.tolist(), b.tolist(), strict=True)
    ]
    assert set(found) == expected
    assert len(found) == len(expected)


def test_an_older_numpy_counts_the_same(monkeypatch, looks):
    new = fingerprints._count_bits(looks)
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert (fingerprints._count_bits(looks) == new).all()
