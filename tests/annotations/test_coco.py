import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations import detect_format
from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.annotations.coco import read_coco
from locvlm.errors import InputError
from locvlm.geometry import Box

IMAGE = {"id": 7, "file_name": "a.jpg", "width": 100, "height": 50}
DOG = {"id": 18, "name": "dog"}
CAT = {"id": 17, "name": "cat"}


def annotation(**fields: Any) -> dict[str, Any]:
    return {"id": 1, "image_id": 7, "category_id": 18, "bbox": [10, 10, 20, 30]} | fields


def coco(**fields: Any) -> dict[str, Any]:
    return {"images": [IMAGE], "annotations": [], "categories": [DOG, CAT]} | fields


def write(folder: Path, tree: Any, name: str = "instances.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path


def read(folder: Path, **fields: Any) -> AnnotationSet:
    return read_coco(write(folder, coco(**fields)))


def refuse(path: Path, **options: Any) -> str:
    """The message of the InputError: one line."""
    with pytest.raises(InputError) as caught:
        read_coco(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_file_without_anything(tmp_path: Path) -> None:
    data = read(tmp_path, images=[], categories=[])
    assert (data.images, data.categories, data.drops) == ((), (), {})


def test_image_without_objects_is_kept(tmp_path: Path) -> None:
    data = read(tmp_path)
    assert data.images == (AnnotatedImage(7, "a.jpg", 100, 50),)
    assert data.categories == ("dog", "cat")
    assert data.source == tmp_path / "instances.json"
    assert not data.drops


def test_one_of_everything(tmp_path: Path) -> None:
    tree = coco(
        info={"year": 2017},
        licenses=[{"id": 4, "name": "Attribution License", "url": "http://…"}],
        images=[
            IMAGE | {"license": 4, "flickr_url": "f", "coco_url": "c", "date_captured": "?"},
            {"id": 8, "file_name": "b.jpg", "width": 5, "height": 5, "license": 9, "coco_url": "c"},
        ],
        annotations=[
            annotation(segmentation=[[1, 2, 3, 4]], area=600.5),
            annotation(id=2, category_id=17, bbox=[0.5, 0, 1.25, 2], iscrowd=1),
            annotation(id=3, image_id=8, bbox=[0, 0, 5, 5], iscrowd=0),
        ],
    )
    said = {"annotations": [{"image_id": 7, "id": 1, "caption": " A dog\nruns. "}]}
    data = read_coco(write(tmp_path, tree), captions=write(tmp_path, said, "captions.json"))
    assert data.images == (
        AnnotatedImage(
            7,
            "a.jpg",
            100,
            50,
            objects=(
                Object("dog", Box(10, 10, 30, 40), id=1),
                Object("cat", Box(0.5, 0, 1.75, 2), crowd=True, id=2),
            ),
            captions=("A dog runs.",),
            license="Attribution License",
            url="f",
        ),
        AnnotatedImage(
            8, "b.jpg", 5, 5, (Object("dog", Box(0, 0, 5, 5), id=3),), license="9", url="c"
        ),
    )
    assert not data.drops


def test_crowd_is_never_single(tmp_path: Path) -> None:
    data = read(tmp_path, annotations=[annotation(iscrowd=1), annotation(id=2, category_id=17)])
    assert [item.category for item in data.images[0].single_instances()] == ["cat"]


def test_crowd_beside_one_instance_makes_two(tmp_path: Path) -> None:
    data = read(tmp_path, annotations=[annotation(iscrowd=1), annotation(id=2)])
    assert data.images[0].single_instances() == []


@pytest.mark.parametrize(
    ("bbox", "kept", "reason"),
    [
        ([10, 10, 0, 30], None, "boxes without area"),
        ([10, 10, 20, -1], None, "boxes without area"),
        ([10, 10, 1e-300, 1], None, "boxes without area"),
        ([100, 0, 20, 20], None, "boxes outside the picture"),
        ([-30, 0, 20, 20], None, "boxes outside the picture"),
        ([0, 50, 20, 1e300], None, "boxes outside the picture"),
        ([90, 40, 20, 20], Box(90, 40, 100, 50), "boxes clipped to the picture"),
        ([-5, -5, 1000, 1000], Box(0, 0, 100, 50), "boxes clipped to the picture"),
        ([0, 0, 100.004, 50], Box(0, 0, 100, 50), None),
        ([0, 0, 100, 50], Box(0, 0, 100, 50), None),
    ],
)
def test_boxes_at_the_border(
    tmp_path: Path, bbox: list[float], kept: Box | None, reason: str | None
) -> None:
    data = read(tmp_path, annotations=[annotation(bbox=bbox)])
    assert [item.box for item in data.images[0].objects] == ([kept] if kept else [])
    assert data.drops == ({reason: 1} if reason else {})


def test_first_of_a_repeated_id_is_kept(tmp_path: Path) -> None:
    data = read(tmp_path, annotations=[annotation(), annotation(category_id=17)])
    assert [item.category for item in data.images[0].objects] == ["dog"]
    assert data.drops == {"annotations with a repeated id": 1}


def test_what_is_left_out_is_not_absent(tmp_path: Path) -> None:
    both = [annotation(bbox=[0, 0, 0, 1]), annotation(id=2, category_id=17, bbox=[200, 0, 1, 1])]
    data = read(tmp_path, annotations=both)
    assert data.images[0].not_exhaustive == ("dog", "cat")
    assert data.images[0].absent_of(data.categories) == []
    assert data.drops == {"boxes without area": 1, "boxes outside the picture": 1}


def test_one_instance_beside_what_is_left_out_is_not_the_only_one(tmp_path: Path) -> None:
    for more in (annotation(id=2, bbox=[0, 0, 0, 1]), annotation()):  # no area, a repeated id
        data = read(tmp_path, annotations=[annotation(), more])
        assert len(data.images[0].objects) == 1
        assert data.images[0].single_instances() == []


def test_annotations_without_ids_are_not_repeated(tmp_path: Path) -> None:
    bare = annotation()
    del bare["id"]
    data = read(tmp_path, annotations=[bare, bare])
    assert len(data.images[0].objects) == 2
    assert not data.drops


def test_annotation_of_an_unknown_image_is_counted(tmp_path: Path) -> None:
    data = read(tmp_path, annotations=[annotation(image_id=99)])
    assert data.images[0].objects == ()
    assert data.drops == {"annotations of unknown images": 1}


def test_captions_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    rows = [(7, "A dog."), (7, " "), (7, "{loc}"), (99, "A cat.")]
    said = {"annotations": [{"image_id": i, "caption": text} for i, text in rows]}
    path = write(tmp_path, said, "captions.json")
    data = read_coco(write(tmp_path, coco()), captions=path)
    assert data.images[0].captions == ("A dog.",)
    assert data.drops == {
        "captions that are empty or have braces": 2,
        "captions of unknown images": 1,
    }


@pytest.mark.parametrize(
    ("tree", "place"),
    [
        (coco(annotations=[annotation(bbox=[1, 2, 3])]), "$.annotations[0].bbox"),
        (coco(annotations=[annotation(bbox=[1, 2, 3, "four"])]), "$.annotations[0].bbox[3]"),
        (coco(annotations=[annotation(image_id=1.5)]), "$.annotations[0].image_id"),
        (coco(images=[IMAGE | {"width": None}]), "images[0] (id 7) is 0 × 50 pixels"),
        (
            coco(images=[IMAGE, IMAGE | {"width": 9}]),
            "images[0] and images[1] (id 7) have one id and say different things",
        ),
        (coco(images=[IMAGE | {"width": 0}]), "images[0] (id 7) is 0 × 50 pixels"),
        (coco(images=[IMAGE | {"height": -3}]), "images[0] (id 7) is 100 × -3 pixels"),
        (
            coco(categories=[DOG, CAT, DOG | {"name": "cow"}]),
            "categories[0] and categories[2] (id 18) have one id and two names, 'dog' and 'cow'",
        ),
        (coco(categories=[{"id": 3, "name": "  "}]), "categories[0] (id 3) has no name"),
        (coco(categories=[{"id": 3, "name": "dog\ncat"}]), r"id 3: the name 'dog\ncat' has a line"),
        (coco(annotations=[annotation(category_id=5)]), "annotations[0] (id 1) has the category 5"),
        (coco(annotations=[annotation(bbox=[1e308, 0, 1e308, 1])]), "annotations[0].bbox"),
        ({"images": [], "annotations": []}, "`categories`"),
        (
            [{"image_id": 7, "category_id": 18, "bbox": [1, 2, 3, 4], "score": 0.5}],
            "COCO detection",
        ),
        (None, "COCO detection"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, tree: Any, place: str) -> None:
    path = write(tmp_path, tree)
    message = refuse(path)
    assert message.startswith(f"{path}: ")
    assert place in message


def test_a_byte_order_mark(tmp_path: Path) -> None:
    path = write(tmp_path, coco())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert detect_format(path)[0] == "coco"
    assert read_coco(path).categories == ("dog", "cat")


def test_missing_file(tmp_path: Path) -> None:
    assert "No such file" in refuse(tmp_path / "none.json")
    assert "directory" in refuse(tmp_path)
    assert "no.json" in refuse(write(tmp_path, coco()), captions=tmp_path / "no.json")


@given(st.data())
def test_file_cut_anywhere(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = json.dumps(coco(annotations=[annotation()])).encode()
    end = data.draw(st.integers(0, len(whole) - 1))
    path = tmp_path_factory.mktemp("cut") / "half.json"
    path.write_bytes(whole[:end])
    message = refuse(path)
    assert f"byte {end}" in message


@pytest.mark.parametrize("content", [b'{"images": [}', b'{"images": ["\xff"]}', b"\xff\xfe{"])
def test_no_json(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    assert refuse(path).startswith(f"{path}: not ")


def test_captions_file_instead_of_detections(tmp_path: Path) -> None:
    path = write(tmp_path, {"images": [IMAGE], "annotations": [{"image_id": 7, "caption": "A"}]})
    assert "instances_*.json" in refuse(path)


class TestFolderOfPictures:
    two = coco(
        images=[IMAGE, IMAGE | {"id": 8, "file_name": "sub/b.jpg"}],
        annotations=[annotation(), annotation(id=2, image_id=8)],
    )

    def test_missing_pictures_are_counted(self, tmp_path: Path) -> None:
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "b.jpg").touch()
        data = read_coco(write(tmp_path, self.two), images=tmp_path)
        assert [image.id for image in data.images] == [8]
        assert data.drops == {"pictures whose file is missing": 1}

    def test_all_there(self, tmp_path: Path) -> None:
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "b.jpg").touch()
        (tmp_path / "a.jpg").touch()
        data = read_coco(write(tmp_path, self.two), images=tmp_path)
        assert len(data.images) == 2
        assert not data.drops

    def test_none_there(self, tmp_path: Path) -> None:
        message = refuse(write(tmp_path, self.two), images=tmp_path)
        assert "none of the 2 pictures" in message
        assert "a.jpg" in message

    def test_no_folder(self, tmp_path: Path) -> None:
        path = write(tmp_path, self.two)
        assert "no such folder" in refuse(path, images=tmp_path / "images")
        assert "no such folder" in refuse(path, images=path)


def test_entries_that_are_there_twice_are_taken_once(tmp_path: Path) -> None:
    tree = coco(images=[IMAGE, IMAGE | {"license": 3}], categories=[DOG, CAT, DOG])
    data = read_coco(write(tmp_path, tree))
    once = read_coco(write(tmp_path, coco(images=[IMAGE], categories=[DOG, CAT])))
    assert data.images == once.images
    assert data.categories == once.categories
    assert data.drops == once.drops + Counter({"images that are there twice, the first taken": 1})


@pytest.mark.parametrize("step", [-1, 1])
def test_categories_that_count_from_another_number(tmp_path: Path, step: int) -> None:
    named = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    shifted = [annotation(id=number, category_id=number + step) for number in (1, 2)]
    with pytest.raises(InputError, match=r"all are if [+-]1 is added: number both alike"):
        read_coco(write(tmp_path, coco(categories=named, annotations=shifted)))


def test_images_that_count_from_another_number(tmp_path: Path) -> None:
    images = [IMAGE | {"id": number, "file_name": f"{number}.jpg"} for number in range(12)]
    shifted = [annotation(id=number, image_id=number) for number in range(1, 13)]
    tree = coco(images=images, annotations=shifted)
    message = refuse(write(tmp_path, tree))
    assert "annotations have image_id 1 to 12; 12 is not in the file, and all are if -1" in message
    tree["annotations"][0]["image_id"] = 0
    data = read_coco(write(tmp_path, tree))
    assert data.drops["annotations of unknown images"] == 1
