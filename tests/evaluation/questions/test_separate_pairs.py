import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.annotations.drops import Drops
from locvlm.errors import InputError
from locvlm.evaluation.questions.separate_pairs import (
    ANY,
    LISTED_NONE,
    find_pairs,
    read_pairs,
    released_form,
)
from locvlm.geometry import Box, coords_of

AXES = ("left-right", "above-below")
NAMES = tuple("abcdef")


def image_of(*items, key=7, **facts):
    """An image of 100 x 100 pixels; items by name, x, y, width, height and whether a crowd."""
    objects = tuple(
        Object(name, Box.from_xywh(*box), crowd=bool(crowd)) for name, *box, crowd in items
    )
    return AnnotatedImage(key, f"{key}.jpg", 100, 100, objects, **facts)


def written(path: Path, data) -> Path:
    path.write_text(json.dumps(data))
    return path


def a_file() -> dict:
    """A dog left of a cat, and below it."""
    dog = {"bbox": [10, 60, 20, 20], "category_id": 1, "iscrowd": 0, "id": 5}
    cat = {"bbox": [50, 20, 20, 20], "category_id": 2, "iscrowd": 0, "id": 6}
    image = {
        "annotations": [dog, cat],
        "file_name": "COCO_val2014_000000000042.jpg",
        "height": 100,
        "width": 100,
        "good_pairs": [[0, 1]],
    }
    categories = [{"id": 1, "name": "dog", "supercategory": "animal"}, {"id": 2, "name": "cat"}]
    return {"categories": categories, "data": {"42": image}}


PLACE, EXTENT = ([n / 100 for n in range(start, 3000)] for start in (0, 1))  # as COCO rounds
ITEM = st.tuples(
    st.sampled_from(NAMES),
    *[st.sampled_from(PLACE)] * 2,
    *[st.sampled_from(EXTENT)] * 2,
    st.booleans(),
)


@given(st.lists(ITEM, max_size=7), st.sampled_from(AXES))
def test_pairs_are_those_of_the_rule(items, axis):
    """By force: every two boxes of unique categories, in either order."""
    begin, extent = (1, 3) if axis == "left-right" else (2, 4)
    unique = [item for item in items if [other[0] for other in items].count(item[0]) == 1]
    wanted = {(a[0], b[0]) for a in unique for b in unique if a[begin] + a[extent] < b[begin]}
    found = find_pairs(image_of(*items), axis)
    names = [item.category for item in found.objects]
    assert {(names[i], names[j]) for i, j in found.pairs} == wanted
    assert len(found.pairs) == len(wanted)
    assert all(i < j for i, j in found.pairs)


@given(images=st.lists(st.lists(ITEM, max_size=7), max_size=4), axis=st.sampled_from(AXES))
def test_the_released_form_is_read_as_it_was_written(tmp_path_factory, images, axis):
    paired = [find_pairs(image_of(*items, key=n), axis) for n, items in enumerate(images)]
    path = tmp_path_factory.getbasetemp() / "released.json"
    which, read = read_pairs(written(path, released_form(paired, NAMES)), axis, Drops())
    assert which == axis
    kept = [image for image in paired if image.pairs]
    assert [(i.id, i.file_name, i.size, i.pairs) for i in read] == [
        (i.id, i.file_name, i.size, i.pairs) for i in kept
    ]
    for image, before in zip(read, kept, strict=True):
        for item, original in zip(image.objects, before.objects, strict=True):
            assert item.category == original.category
            assert coords_of(item.box) == pytest.approx(coords_of(original.box))


def test_a_crowd_is_an_object_and_a_further_one_of_its_category():
    """As in the released code, which does not look at `iscrowd`."""
    lone = find_pairs(image_of(("a", 0, 0, 5, 5, True), ("b", 9, 0, 5, 5, False)), "left-right")
    assert lone.pairs == ((0, 1),)
    items = ("a", 0, 0, 5, 5, True), ("a", 1, 0, 5, 5, False), ("b", 9, 0, 5, 5, False)
    assert find_pairs(image_of(*items), "left-right").pairs == ()


def test_boxes_that_touch_are_not_apart():
    touching = image_of(("a", 0, 0, 5, 5, False), ("b", 5, 0, 5, 5, False))
    assert find_pairs(touching, "left-right").pairs == ()


def test_what_may_have_further_instances_is_not_single():
    items = ("a", 0, 0, 5, 5, False), ("b", 9, 0, 5, 5, False)
    assert find_pairs(image_of(*items, not_exhaustive=("a",)), "left-right").pairs == ()


def test_the_axis_is_told_by_the_boxes(tmp_path):
    data = a_file()
    assert read_pairs(written(tmp_path / "a.json", data), ANY, Drops())[0] == "left-right"
    (image,) = data["data"].values()
    image["annotations"].reverse()
    axis, (image,) = read_pairs(written(tmp_path / "b.json", data), ANY, Drops())
    assert axis == "above-below"
    assert [item.category for item in image.objects] == ["cat", "dog"]


def test_where_both_axes_fit_that_of_the_order_counts(tmp_path):
    """The pair's first ends left of the second and above it; of all three, the order tells."""
    items = ("b", 50, 0, 5, 5, False), ("a", 0, 10, 5, 5, False), ("c", 60, 60, 5, 5, False)
    paired = find_pairs(image_of(*items), "above-below")
    data = released_form([paired], NAMES)
    (image,) = data["data"].values()
    image["good_pairs"] = [[1, 2]]
    path = written(tmp_path / "a.json", data)
    assert read_pairs(path, ANY, Drops())[0] == "above-below"
    assert read_pairs(path, "left-right", Drops())[0] == "left-right"


def test_images_without_a_list_of_pairs_are_counted(tmp_path):
    data = a_file()
    data["data"]["43"] = {k: v for k, v in data["data"]["42"].items() if k != "good_pairs"}
    skipped = Drops()
    _, images = read_pairs(written(tmp_path / "a.json", data), ANY, skipped)
    assert [image.id for image in images] == ["42"]
    assert skipped == Counter({LISTED_NONE: 1})
    assert skipped.examples[LISTED_NONE].endswith("data[43]")


def changed(*place, value=None):
    """The file with another value there, or without what is there."""
    data = a_file()
    inner = data
    for key in place[:-1]:
        inner = inner[key]
    if value is None:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return data


PICTURE = ("data", "42")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (changed("data"), r"a\.json: not a file of COCO-Spatial .*required field `data`"),
        (changed("categories"), r"required field `categories`"),
        (changed(*PICTURE, "file_name"), r"data\[42\]: not .*required field `file_name`"),
        (changed(*PICTURE, "width"), r"data\[42\]: not .*required field `width`"),
        (changed(*PICTURE, "annotations", 1, "bbox"), r"data\[42\]: .*`bbox`.*annotations"),
        (changed(*PICTURE, "annotations", 0, "category_id", value=9), "category_id 9 is in no"),
        (
            changed(*PICTURE, "annotations", 0, "bbox", value=[1, 2, -3, 4]),
            r"tions\[0\]: box",
        ),
        (changed(*PICTURE, "annotations", 0, "bbox", value=[1, 2, 3]), r"data\[42\]: not .*bbox"),
        (
            changed(*PICTURE, "good_pairs", value=[[0, 2]]),
            r"good_pairs\[0\]: \[0, 2\] are no",
        ),
        (changed(*PICTURE, "good_pairs", value=[[-1, 1]]), r"good_pairs\[0\]: \[-1, 1\] are no"),
        (changed(*PICTURE, "good_pairs", value=[[0, 1, 2]]), r"data\[42\]: not .*good_pairs"),
        (changed(*PICTURE, "good_pairs", value=[[0, 0]]), r"good_pairs\[0\]: dog, .* no pairs of"),
        (changed(*PICTURE, "width", value=-5), r"data\[42\] is -5 × 100 pixels"),
        (changed(*PICTURE, "file_name", value="../a.jpg"), r"data\[42\]\.file_name"),
        (changed("categories", 0, "name", value="{a}"), "category 1: .* without braces"),
        ([], "not a file of COCO-Spatial as released"),
    ],
)
def test_bad_files(tmp_path, data, message):
    with pytest.raises(InputError, match=message) as caught:
        read_pairs(written(tmp_path / "a.json", data), ANY, Drops())
    assert "\n" not in str(caught.value)


def test_pairs_of_the_other_axis(tmp_path):
    path = written(tmp_path / "a.json", a_file())
    with pytest.raises(InputError, match=r"data\[42\].good_pairs\[0\]: dog, .* does not end above"):
        read_pairs(path, "above-below", Drops())


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_pairs(tmp_path / "none.json", ANY, Drops())
