"""Names of frames are told from names of photos."""

from __future__ import annotations

import numpy as np
import pytest

from locvlm.annotations.recordings import guess_recordings, read_recordings, source_names
from locvlm.errors import InputError
from locvlm.media.fingerprints import Fingerprint


def number(stem: str, count: int, step: int = 1) -> list[str]:
    return [f"{stem}{k * step:04}.jpg" for k in range(count)]


def guess(files, prints=None, categories=()):
    return guess_recordings(files, prints or [None] * len(files), categories)


FRAMES = {
    "folders of frames": [f for k in range(3) for f in number(f"video{k}/frame_", 5)],
    "names of clips": [f for k in range(4) for f in number(f"clip_{k}_", 3, step=30)],
    "cut by a server": [
        f"walk{k}_mp4-{n:04}_jpg.rf.{k:08x}{n:08x}.jpg" for k in range(3) for n in range(4)
    ],
    "in splits": [
        f"{split}/images/{name}"
        for split, n in (("train", 6), ("valid", 4))
        for k in range(3)
        for name in number(f"cam{k}_", n)
    ],
}


@pytest.mark.parametrize("files", FRAMES.values(), ids=FRAMES)
def test_frames_are_told_by_words(files):
    found = guess(files)
    assert all(found.names)
    assert len(set(found.names)) in (3, 4)
    assert f"such as {files[0]}" in found.remark
    assert f"{len(files)} pictures are frames of {len(set(found.names))} recordings" in found.remark
    assert found.only == ""


PHOTOS = {
    "COCO": [f"{k * 37:012}.jpg" for k in range(100)],
    "COCO 2014": [f"COCO_{s}2014_{k * 37:012}.jpg" for s in ("train", "val") for k in range(50)],
    "a camera": number("IMG_", 50),
    "two cameras": [*number("IMG_", 50), *number("DSC_", 20), *number("trip/IMG_", 50)],
    "VOC": [f"{y}_{k * 7 % 997:06}.jpg" for y in range(2007, 2012) for k in range(60)],
    "a folder per class": [f for name in ("cat", "dog", "cow") for f in number(f"{name}/", 30)],
    "numbers alone": number("", 30),
    "no number": ["a.jpg", "b.jpg", "c.jpg"],
    "photos of one folder": [f for k in "abc" for f in number(f"my videos/{k}_", 9)],
}


@pytest.mark.parametrize("files", PHOTOS.values(), ids=PHOTOS)
def test_numbered_photos_are_no_recording(files):
    found = guess(files)
    assert not any(found.names)
    assert (found.remark, found.only) == ("", "")


def walk(seed: int, count: int, step: int) -> list[Fingerprint]:
    """Looks that drift away, some bits per frame."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, 256, dtype=np.uint8)
    looks = []
    for k in range(count):
        bits[rng.choice(256, step, replace=False)] ^= 1
        looks.append(Fingerprint(f"{seed}/{k}", np.packbits(bits).tobytes()))
    return looks


def test_stems_without_a_word_are_told_by_what_neighbours_look_like():
    files = [f for k in range(3) for f in number(f"0{k}_", 10)]
    frames = [each for k in range(3) for each in walk(k, 10, 12)]
    photos = [each for k in range(30) for each in walk(k, 1, 12)]
    assert len(set(guess(files, frames).names)) == 3
    assert not any(guess(files, photos).names)
    still = [each for k in range(3) for each in walk(k, 1, 12) * 10]  # one scene, all the same
    assert len(set(guess(files, still).names)) <= 3


def test_a_folder_called_like_a_category_is_no_recording():
    files = [f for name in ("video_cam", "clip", "tv-frame") for f in number(f"{name}/", 9)]
    assert any(guess(files).names)
    assert not any(guess(files, categories=("Video cam", "clip", "TV frame")).names)


@pytest.mark.parametrize("folders", [["a"], ["a", "b"]])
def test_one_or_two_recordings_alone_are_said(folders):
    files = [f for folder in folders for f in number(f"{folder}/frame_", 20)]
    found = guess(files)
    assert not any(found.names)
    assert ("one recording" if len(folders) == 1 else "two recordings") in found.only
    assert "--group-by" in found.only


def test_a_pattern_names_the_recording_by_its_first_group():
    files = ["a-1.jpg", "a-2.jpg", "b-1.jpg", "c-1.jpg", "other.jpg"]
    found = read_recordings(files, r"^(\w)-\d")
    assert found.names == ("a", "a", "b", "c", "")
    assert (
        "4 pictures are frames of 3 recordings (1 to 2 each); pictures that match no recording: 1"
        in found.remark
    )
    assert read_recordings(files, r"^\w-").names == ("a-", "a-", "b-", "c-", "")
    assert read_recordings(files, ".+").names == tuple(files)
    assert "one recording" in read_recordings(files[:2], r"^(\w)-").only


@pytest.mark.parametrize("pattern", ["(", "^nothing", r"(x)?\d{9}"])
def test_a_pattern_that_says_nothing_is_refused(pattern):
    with pytest.raises(InputError, match="--group-by"):
        read_recordings(["a1.jpg", "b2.jpg"], pattern)


def test_copies_are_named_by_what_they_were_made_of():
    files = [
        "train/images/IMG_1_jpg.rf.0123456789abcdef0123456789abcdef.jpg",
        "valid/images/IMG_1_jpg.rf.AbCdEf0123456789abcd.jpg",
        "IMG_2_jpg.rf.0123456789abcdef0123456789abcdef.png",
        "a.rf.jpg",
        "plain.jpg",
    ]
    assert source_names(files) == ["IMG_1_jpg", "IMG_1_jpg", "IMG_2_jpg", "", ""]
