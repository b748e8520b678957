"""Held out: whole groups, categories spread evenly, the same ones whatever the order."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.annotations.grouping import Grouping, group_images
from locvlm.annotations.holding_out import hold_out
from locvlm.errors import InputError
from locvlm.geometry import Box

BOX = Box(1, 1, 9, 9)


def data_of(*contents: str, names: list[str] | None = None) -> AnnotationSet:
    """An image for each text, an object for each of its letters."""
    files = names or [f"{k:03}.jpg" for k in range(len(contents))]
    images = [
        AnnotatedImage(name, name, 10, 10, tuple(Object(letter, BOX) for letter in content))
        for name, content in zip(files, contents, strict=True)
    ]
    return AnnotationSet(images, tuple(sorted({*"".join(contents)})), Path("shop"))


def alone(data: AnnotationSet) -> Grouping:
    return Grouping(np.arange(len(data.images)), {})


def splits_of(data: AnnotationSet) -> dict[str, str]:
    return {image.file_name: image.split for image in data.images}


def test_the_share_of_each_category_is_held_out():
    data = data_of(*["a"] * 100, *["ab"] * 50, *["c"] * 10, *[""] * 40)
    held = hold_out(data, 0.2, 0, alone(data))
    assert held.splits == ("train", "val")
    assert Counter(splits_of(held).values()) == {"train": 160, "val": 40}
    val = Counter(
        item.category for image in held.images if image.split == "val" for item in image.objects
    )
    assert val == {"a": 30, "b": 10, "c": 2}
    assert [image.objects for image in held.images] == [image.objects for image in data.images]


def test_a_rare_category_is_on_both_sides():
    data = data_of(*["a"] * 40, "ab", "ab", "c")
    held = hold_out(data, 0.1, 0, alone(data))
    sides = {name: set() for name in "abc"}
    for image in held.images:
        for item in image.objects:
            sides[item.category].add(image.split)
    assert sides["b"] == {"train", "val"}
    assert sides["c"] == {"train"}


def test_the_order_of_the_files_changes_nothing_and_the_seed_does():
    data = data_of(*random.Random(0).choices(["a", "b", "ab", "c", ""], k=200))
    shuffled = replace(data, images=random.Random(1).sample(data.images, len(data.images)))
    first = splits_of(hold_out(data, 0.2, 0, alone(data)))
    assert splits_of(hold_out(shuffled, 0.2, 0, alone(shuffled))) == first
    assert splits_of(hold_out(data, 0.2, 1, alone(data))) != first


def test_frames_of_a_recording_stay_together():
    names = [f"cam{k}_{n:03}.jpg" for k in range(10) for n in range(20)]
    data = data_of(*["a"] * 200, names=names)
    grouping = group_images(data.images, None)
    held = splits_of(hold_out(data, 0.2, 0, grouping))
    sides = {name[:4]: {held[other] for other in names if other[:4] == name[:4]} for name in names}
    assert all(len(side) == 1 for side in sides.values())
    assert Counter(held.values()) == {"train": 160, "val": 40}


def test_one_group_alone_is_refused():
    data = data_of("a", "a", "a")
    with pytest.raises(InputError, match="nothing can be held out.*all 3 pictures"):
        hold_out(data, 0.2, 0, Grouping(np.zeros(3, np.int64), {}))
    with pytest.raises(InputError, match="nothing can be held out of 1 picture; give more"):
        hold_out(data_of("a"), 0.2, 0, Grouping(np.zeros(1, np.int64), {}))
    frames = data_of("a", "a", names=["frame_1.jpg", "frame_2.jpg"])
    with pytest.raises(InputError, match="one recording"):
        hold_out(frames, 0.2, 0, group_images(frames.images, None))


@pytest.mark.parametrize("share", [0, 1, -0.1, 20, float("nan")])
def test_a_share_is_between_0_and_1(share):
    data = data_of("a", "b")
    with pytest.raises(InputError, match="--hold-out"):
        hold_out(data, share, 0, alone(data))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "ab", "abc", "d", ""]), min_size=2, max_size=40),
    st.sampled_from([0.1, 0.2, 0.5, 0.8]),
    st.integers(0, 3),
    st.data(),
)
def test_groups_are_whole_and_no_side_lacks_what_it_can_have(contents, share, seed, draw):
    data = data_of(*contents)
    count = len(contents)
    owners = draw.draw(st.lists(st.integers(0, 8), min_size=count, max_size=count))
    groups = np.array([owners.index(owner) for owner in owners])
    if len(set(owners)) < 2:
        return
    held = hold_out(data, share, seed, Grouping(groups, {}))
    sides = np.array([image.split for image in held.images])
    assert set(sides) == {"train", "val"}
    for group in set(groups.tolist()):
        assert len(set(sides[groups == group])) == 1
    for letter in "abcd":
        having = np.array([letter in content for content in contents])
        if len(set(groups[having].tolist())) > 1:
            assert set(sides[having]) == {"train", "val"}


def test_rare_categories_take_no_more_than_the_share_where_it_suffices():
    """Ten pairs of rare categories, each of them with a common one: ten of a hundred images."""
    rare = "bcdefghijk"
    data = data_of(*["a"] * 80, *[f"a{name}" for name in rare for _ in range(2)])
    held = hold_out(data, 0.1, 0, alone(data))
    kept = [image for image in held.images if image.split == "val"]
    assert len(kept) == 10
    assert {item.category for image in kept for item in image.objects} == {"a", *rare}
