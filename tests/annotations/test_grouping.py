"""What belongs together is found by names, files and pixels, and said."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from locvlm.annotations.base import AnnotatedImage
from locvlm.annotations.grouping import Groups, find_overlap, group_images
from locvlm.errors import InputError


def write_scene(path: Path, seed: int, quality: int = 90) -> None:
    """Soft blobs in which no two seeds are alike."""
    colors = np.random.default_rng(seed).integers(20, 235, (14, 18, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(colors).resize((240, 180), Image.Resampling.BICUBIC).save(
        path, "JPEG", quality=quality
    )


def images_of(*names: str, split: str = "") -> list[AnnotatedImage]:
    return [AnnotatedImage(name, name, 240, 180, split=split) for name in names]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """a, b, c; the file of a again; b compressed again."""
    for seed, name in enumerate("abc"):
        write_scene(tmp_path / f"{name}.jpg", seed)
    shutil.copy(tmp_path / "a.jpg", tmp_path / "a2.jpg")
    write_scene(tmp_path / "b2.jpg", 1, quality=40)
    return tmp_path


NAMES = ("a.jpg", "b.jpg", "c.jpg", "a2.jpg", "b2.jpg")


def test_equal_and_nearly_equal_images_belong_together(folder):
    found = group_images(images_of(*NAMES), folder)
    assert found.groups.tolist() == [0, 1, 2, 0, 1]
    assert "2 pictures in 1 groups: equal files, such as a.jpg and a2.jpg" in found.remarks
    assert any("nearly equal pixels" in remark for remark in found.remarks)


def test_without_files_the_names_tell(tmp_path):
    names = [f"{k}_jpg.rf.{copy:032x}.jpg" for k in range(3) for copy in range(2)]
    found = group_images(images_of(*names), None)
    assert found.groups.tolist() == [0, 0, 2, 2, 4, 4]
    assert found.prints == []


def test_one_that_is_gone_is_said_and_alone(folder):
    found = group_images(images_of("a.jpg", "gone.jpg", "a2.jpg"), folder)
    assert found.groups.tolist() == [0, 1, 0]
    assert "pictures that could not be looked at: 1, such as gone.jpg" in found.remarks


def test_groups_of_several_reasons_are_one(folder):
    """A and b are of one recording, b and b2 look alike: all three stay together."""
    images = images_of("a.jpg", "b.jpg", "c.jpg", "b2.jpg")
    assert group_images(images, folder, pattern="^[ab][.]|^c").groups.tolist() == [0, 1, 2, 1]
    assert group_images(images, folder, pattern="^([ab])[.]").groups.tolist() == [0, 1, 2, 1]
    assert group_images(images, folder, pattern="^[abc]").groups.tolist() == [0, 1, 2, 1]
    assert group_images(images, folder, pattern="[.]jpg").groups.tolist() == [0, 0, 0, 0]


def test_a_pattern_of_one_recording_leaves_nothing_to_hold_out(folder):
    assert "one recording" in group_images(images_of(*NAMES), folder, pattern="[.]jpg").only
    with pytest.raises(InputError, match="matches no file name"):
        group_images(images_of(*NAMES), folder, pattern="nothing")


def test_what_val_shares_with_train_is_counted_by_reason(folder):
    images = [
        *images_of("a.jpg", "b.jpg", split="train"),
        *images_of("a2.jpg", "c.jpg", split="val"),
        *images_of("b2.jpg", split="test"),
    ]
    found = find_overlap(images, group_images(images, folder))
    assert found.shared.tolist() == [False, False, True, False, True]
    val, test = found.remarks
    assert val.startswith("1 of 2 pictures of val ") and "equal files" in val
    assert test.startswith("1 of 1 pictures of test ") and "nearly equal pixels" in test
    assert "b2.jpg and b.jpg" in test


def test_recordings_across_splits_are_counted():
    train = [f"train/cam{k}_{n:03}.jpg" for k in range(3) for n in range(6)]
    val = [f"val/cam{k}_{n:03}.jpg" for k in (0, 7) for n in range(6, 9)]
    images = [*images_of(*train, split="train"), *images_of(*val, split="val")]
    found = find_overlap(images, group_images(images, None))
    assert found.shared.sum() == 3
    assert "3 of 6 pictures of val" in found.remarks[0] and "same recording" in found.remarks[0]


def test_without_train_or_others_nothing_is_shared(folder):
    for split in ("train", "val", ""):
        images = images_of(*NAMES, split=split)
        found = find_overlap(images, group_images(images, folder))
        assert not found.shared.any()
        assert found.remarks == ()


@given(st.integers(1, 30), st.data())
def test_joined_places_share_their_first(count, data):
    places = st.integers(0, count - 1)
    pairs = data.draw(st.lists(st.tuples(places, places), max_size=40))
    groups, expected = Groups(count), list(range(count))
    cut = len(pairs) // 2
    for part in (pairs[:cut], pairs[cut:]):
        first, second = np.array(part, np.int64).reshape(-1, 2).T
        groups.join((first, second))
    for _ in range(count):
        for a, b in pairs:
            expected[a] = expected[b] = min(expected[a], expected[b])
    assert groups.roots.tolist() == expected
