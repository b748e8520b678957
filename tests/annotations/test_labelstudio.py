import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from locvlm import annotations
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.labelstudio import read_labelstudio
from locvlm.errors import InputError
from locvlm.geometry import Box, coords_of

SIZE = {"original_width": 200, "original_height": 100}
RECT = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["dog"]}


def region(**value: Any) -> dict[str, Any]:
    return {"type": "x", "image_rotation": 0, **SIZE, "value": value}


def task(*regions: dict[str, Any], image: str = "a.jpg", **more: Any) -> dict[str, Any]:
    return {"id": 5, "data": {"image": image}, "annotations": [{"result": [*regions]}], **more}


def read(folder: Path, *tasks: dict[str, Any], **options: Any) -> AnnotationSet:
    path = folder / "tasks.json"
    path.write_text(json.dumps(tasks))
    assert annotations.detect_format(path)[0] == "labelstudio"
    return read_labelstudio(path, **options)


def seen(data: AnnotationSet) -> list[tuple[str, Box]]:
    return [(item.category, item.box) for image in data.images for item in image.objects]


def test_percent_of_the_picture(tmp_path: Path) -> None:
    data = read(tmp_path, task(region(**RECT)))
    assert seen(data) == [("dog", Box(20, 20, 80, 60))]
    assert (data.images[0].width, data.images[0].height) == (200, 100)
    assert not data.drops


def test_every_label_of_a_region(tmp_path: Path) -> None:
    data = read(tmp_path, task(region(**RECT | {"rectanglelabels": ["dog", "wet"]})))
    assert [name for name, _ in seen(data)] == ["dog", "wet"]


def test_a_rectangle_is_turned_about_its_top_left_corner(tmp_path: Path) -> None:
    data = read(tmp_path, task(region(**RECT | {"x": 50, "y": 10, "rotation": 90})))
    # 60 × 40 pixels at (100, 10): a quarter turn clockwise takes it down and to the left
    [(_, box)] = seen(data)
    assert coords_of(box) == pytest.approx((60, 10, 100, 70))
    assert data.drops == {"rotated boxes, of which the upright box around them is taken": 1}


@pytest.mark.parametrize(
    ("value", "box", "kind"),
    [
        (
            {"points": [[10, 10], [50, 10], [30, 90]], "polygonlabels": ["dog"]},
            (20, 10, 100, 90),
            "polygons",
        ),
        (
            {"x": 50, "y": 50, "radiusX": 10, "radiusY": 20, "ellipselabels": ["dog"]},
            (80, 30, 120, 70),
            "ellipses",
        ),
    ],
)
def test_other_shapes(
    value: dict[str, Any], box: tuple[float, ...], kind: str, tmp_path: Path
) -> None:
    data = read(tmp_path, task(region(**value)))
    assert coords_of(seen(data)[0][1]) == pytest.approx(box)
    assert data.drops == {f"{kind}, of which the upright box around them is taken": 1}


@pytest.mark.parametrize(
    "value",
    [
        {"x": 1, "y": 2, "width": 0.5, "keypointlabels": ["dog"]},
        {"format": "rle", "rle": [1, 2], "brushlabels": ["dog"]},
    ],
)
def test_shapes_without_a_box_are_there(value: dict[str, Any], tmp_path: Path) -> None:
    data = read(tmp_path, task(region(**value)))
    assert seen(data) == []
    assert data.images[0].not_exhaustive == ("dog",)
    assert sum(data.drops.values()) == 1


def test_labels_of_a_region_that_stand_apart(tmp_path: Path) -> None:
    bare = {key: value for key, value in RECT.items() if key != "rectanglelabels"}
    parts = [{"id": "r", **region(**bare)}, {"id": "r", **region(**bare, labels=["dog"])}]
    assert seen(read(tmp_path, task(*parts))) == [("dog", Box(20, 20, 80, 60))]


def test_which_annotation_counts(tmp_path: Path, jpeg: Callable[..., bytes]) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    first, second = (
        {"result": [region(**RECT | {"rectanglelabels": [name]})]} for name in ("dog", "cat")
    )
    tasks = [
        task(annotations=[{**first, "was_cancelled": True}, second]),
        task(annotations=[first, {**second, "ground_truth": True}], image="b.jpg"),
        task(annotations=[{**first, "was_cancelled": True}], image="c.jpg"),
        task(annotations=[], image="d.jpg", predictions=[first]),
    ]
    data = read(tmp_path, *tasks)
    assert [name for name, _ in seen(data)] == ["cat", "cat"]
    assert data.drops == {
        "tasks that nobody annotated": 2,
        "annotations of a task beside the one that is read": 1,
    }


def test_nothing_drawn_is_a_picture_of_the_files_size(
    tmp_path: Path, jpeg: Callable[..., bytes]
) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    [image] = read(tmp_path, task(), images=tmp_path).images
    assert (image.width, image.height, image.objects) == (40, 30, ())


def test_a_picture_that_was_turned(tmp_path: Path) -> None:
    data = read(tmp_path, task({**region(**RECT), "image_rotation": 90}))
    assert seen(data) == []
    assert data.drops == {
        "regions of a picture that was turned in Label Studio, which have no box": 1
    }


@pytest.mark.parametrize(
    "image",
    [
        "/data/upload/3/4f2a1b3c-a.jpg",
        "http://localhost:8080/data/upload/3/a.jpg",
        "/data/local-files/?d=set/a.jpg",
        "s3://bucket/a.jpg",
    ],
)
def test_names_of_uploads(image: str, tmp_path: Path, jpeg: Callable[..., bytes]) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    [found] = read(tmp_path, task(region(**RECT), image=image), images=tmp_path).images
    assert found.file_name == "a.jpg"


def test_another_key_for_the_picture(tmp_path: Path) -> None:
    item = task(region(**RECT))
    item["data"] = {"text": "a dog", "img": "a.jpg"}
    assert read(tmp_path, item).images[0].file_name == "a.jpg"
    item["data"] = {"left": "a.jpg", "right": "b.jpg"}
    with pytest.raises(InputError, match="has 2 names of pictures in its data"):
        read(tmp_path, item)


def test_json_min(tmp_path: Path) -> None:
    data = read(tmp_path, {"id": 5, "image": "a.jpg", "label": [RECT | SIZE], "annotator": 1})
    assert seen(data) == [("dog", Box(20, 20, 80, 60))]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (RECT | {"x": "1"}, "x: '1' is not a number"),
        (RECT | {"x": float("1e999")}, "not complete JSON"),
        ({"points": [[1]], "polygonlabels": ["a"]}, r"the points of a polygon are not \[x, y\]"),
        ({"points": [], "polygonlabels": ["a"]}, "has no points"),
    ],
)
def test_broken_regions(value: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, task(region(**value)))


def test_shapes_in_several_pictures_of_a_task(tmp_path: Path) -> None:
    two = [region(**RECT) | {"to_name": name} for name in ("a", "b")]
    items = [region(**RECT) | {"item_index": number} for number in (0, 1)]
    data = read(tmp_path, task(*two), task(*items, image="b.jpg"), task(two[1], image="c.jpg"))
    assert [image.file_name for image in data.images] == ["c.jpg"]
    reason = "tasks with shapes in several pictures, which are not told apart"
    assert data.drops == {reason: 2}


def test_what_is_no_shape_is_counted(tmp_path: Path) -> None:
    choice = {"type": "choices", "to_name": "text", "value": {"choices": ["night"]}}
    track = {"type": "videorectangle", "value": {"sequence": [], "labels": ["dog"]}}
    data = read(tmp_path, task(region(**RECT), choice, track))
    assert len(seen(data)) == 1
    assert data.drops == {
        "regions that are no shape ('choices')": 1,
        "regions that are no shape ('videorectangle')": 1,
    }
