import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.refcoco import read_refcoco
from locvlm.errors import InputError


def ref(*phrases: str, ann: int = 1, image: int = 7, split: str = "train") -> dict[str, Any]:
    sentences = [{"sent": text, "raw": text.upper()} for text in phrases]
    return {"ref_id": 0, "ann_id": ann, "image_id": image, "split": split, "sentences": sentences}


def write(folder: Path, refs: Any, name: str = "refs(unc).p") -> Path:
    images = [
        {"id": number, "file_name": f"{number}.jpg", "width": 9, "height": 9} for number in (7, 8)
    ]
    boxes = [
        {"id": ann, "image_id": image, "category_id": 18, "bbox": [ann, 0, 2, 2]}
        for ann, image in ((1, 7), (2, 7), (3, 8))
    ]
    names = [{"id": 18, "name": "dog"}, {"id": 17, "name": "cat"}]
    tree = {"images": images, "annotations": boxes, "categories": names}
    (folder / "instances.json").write_text(json.dumps(tree))
    (folder / name).write_bytes(pickle.dumps(refs, 0))
    return folder


def said(data: AnnotationSet) -> list[tuple[Any, tuple[str, ...]]]:
    return [(item.id, item.descriptions) for image in data.images for item in image.objects]


def refuse(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_refcoco(path, **options)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_no_phrases(tmp_path: Path) -> None:
    data = read_refcoco(write(tmp_path, []))
    assert data.images == ()
    assert data.categories == ("dog", "cat")


def test_all_objects_of_a_described_picture(tmp_path: Path) -> None:
    data = read_refcoco(write(tmp_path, [ref("left dog", "the dog")]))
    assert said(data) == [(1, ("left dog", "the dog")), (2, ())]
    assert data.images[0].absent_of(data.categories) == ["cat"]
    assert not data.drops


def test_two_descriptions_of_one_object(tmp_path: Path) -> None:
    data = read_refcoco(write(tmp_path, [ref("a"), ref("b", "a")]))
    assert said(data)[0] == (1, ("a", "b"))
    assert data.drops == {"repeated phrases of one object": 1}


def test_splits(tmp_path: Path) -> None:
    write(tmp_path, [ref("a"), ref("b", ann=3, image=8, split="testA")])
    assert [image.id for image in read_refcoco(tmp_path, split="all").images] == [7, 8]
    assert [image.id for image in read_refcoco(tmp_path).images] == [7]
    assert [image.split for image in read_refcoco(tmp_path, split="all").images] == [
        "train",
        "testA",
    ]
    assert [image.split for image in read_refcoco(tmp_path).images] == ["train"]
    assert read_refcoco(tmp_path).options == {"split": "train"}
    assert read_refcoco(tmp_path).splits == ("testA", "train")
    data = read_refcoco(tmp_path, split="testA")
    assert said(data) == [(3, ("b",))]
    assert data.drops == {"objects described in other splits": 1}
    assert "has no split 'val'; it has: 'testA, train'" in refuse(tmp_path, split="val")


def test_what_is_counted(tmp_path: Path) -> None:
    assert read_refcoco(write(tmp_path, [ref("", "{loc}", "a"), ref("b", ann=9)])).drops == {
        "phrases that are empty or have braces": 2,
        "phrases of unknown objects": 1,
    }


@pytest.mark.parametrize(
    ("refs", "where"),
    [
        ({}, "Expected `array`"),
        ([ref("a"), 3], "$[1]"),
        ([ref("a") | {"ann_id": 1.5}], "$[0].ann_id"),
        ([ref("a") | {"sentences": [{"sent": None}]}], "$[0].sentences[0].sent"),
    ],
)
def test_what_is_not_refcoco(refs: Any, where: str, tmp_path: Path) -> None:
    message = refuse(write(tmp_path, refs))
    assert "refs(unc).p" in message
    assert where in message


def test_which_file(tmp_path: Path) -> None:
    assert "the folder has: none" in refuse(tmp_path)
    write(tmp_path, [ref("a")])
    write(tmp_path, [ref("b")], "refs(google).p")
    assert "the folder has: refs(google).p, refs(unc).p" in refuse(tmp_path)
    assert said(read_refcoco(tmp_path / "refs(google).p"))[0] == (1, ("b",))
    (tmp_path / "instances.json").unlink()
    assert "instances.json: cannot be read" in refuse(tmp_path / "refs(google).p")


def test_a_picture_whose_phrases_are_of_several_splits(tmp_path: Path) -> None:
    write(tmp_path, [ref("a"), ref("b", ann=2, split="val"), ref("c", ann=3, image=8)])
    found = {image.id: image.split for image in read_refcoco(tmp_path, split="all").images}
    assert found == {7: "", 8: "train"}
    assert {image.split for image in read_refcoco(tmp_path, split="val").images} == {"val"}
