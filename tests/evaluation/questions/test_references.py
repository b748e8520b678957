import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from locvlm.errors import InputError
from locvlm.evaluation.questions import references
from locvlm.evaluation.questions.references import Referent
from locvlm.evaluation.task import Question, QuestionSet, Sources
from locvlm.geometry import Box
from locvlm.instructions.base import Instruction


def ref(number: int, *texts: str, ann: int = 1, image: int = 7, split: str = "val") -> Any:
    sentences = [
        {"sent_id": 10 * number + place, "sent": text, "raw": text.upper(), "tokens": text.split()}
        for place, text in enumerate(texts)
    ]
    return {
        "ref_id": number,
        "ann_id": ann,
        "image_id": image,
        "category_id": 18,
        "file_name": f"COCO_train2014_{image:012}_{number}.jpg",
        "split": split,
        "sent_ids": [item["sent_id"] for item in sentences],
        "sentences": sentences,
    }


def instances(folder: Path, name: str = "instances.json") -> Path:
    images = [
        {"id": number, "file_name": f"COCO_train2014_{number:012}.jpg", "width": 60, "height": 40}
        for number in (7, 8)
    ]
    boxes = [
        {"id": ann, "image_id": image, "category_id": 18, "bbox": [ann, 2.5, 20, 50]}
        for ann, image in ((1, 7), (2, 7), (3, 8))
    ]
    tree = {"images": images, "annotations": boxes, "categories": [{"id": 18, "name": "dog"}]}
    path = folder / name
    path.write_text(json.dumps(tree))
    return path


def refcoco(folder: Path, refs: Any) -> Path:
    instances(folder)
    path = folder / "refs(unc).p"
    path.write_bytes(pickle.dumps(refs, 2))
    return path


def read(path: Path, splits: str = "val", **files: Path) -> tuple[QuestionSet, list[Referent]]:
    seen: list[Referent] = []

    def questions(referent: Referent) -> list[Question]:
        seen.append(referent)
        return [
            Question(item.id, referent.image, None, Instruction("x", item.text, ""), "")
            for item in referent.sentences
        ]

    images = files.pop("images", None)
    sources = Sources({"references": path, **files}, images=images)
    return references.question_set(sources, splits, questions), seen


def refuse(path: Path, splits: str = "val", **files: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(path, splits, **files)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_no_references(tmp_path: Path) -> None:
    asked, seen = read(refcoco(tmp_path, []))
    assert (asked.questions, seen) == ((), [])
    assert asked.source == "refs(unc).p"


def test_an_object(tmp_path: Path) -> None:
    asked, [referent] = read(refcoco(tmp_path, [ref(4, "left  dog", "left dog")]))
    assert (referent.id, referent.split, referent.size) == ("4", "val", (60, 40))
    assert referent.image == "COCO_train2014_000000000007.jpg"
    assert referent.box == Box(1, 2.5, 21, 52.5)  # reaches out, as annotated
    assert [(item.id, item.text) for item in referent.sentences] == [
        ("40", "left dog"),
        ("41", "left dog"),
    ]
    assert (asked.skipped, asked.dropped) == ({}, {})


def test_questions_are_in_the_order_of_the_file(tmp_path: Path) -> None:
    refs = [ref(1, "a", "b"), ref(2, "c", ann=3, image=8), ref(3, "d", ann=2)]
    asked, _ = read(refcoco(tmp_path, refs))
    assert [question.id for question in asked] == ["10", "11", "20", "30"]


def test_splits(tmp_path: Path) -> None:
    refs = [ref(1, "a"), ref(2, "b", split="test"), ref(3, "c", split="train")]
    path = refcoco(tmp_path, refs)
    asked, _ = read(path, "test")
    assert [question.id for question in asked] == ["20"]
    assert asked.dropped == {"objects of other splits": 2}
    assert len(read(path, "val, test")[0]) == 2
    assert "has no split 'testB'; it has: 'test, train, val'" in refuse(path, "val,testB")


def test_what_is_counted(tmp_path: Path) -> None:
    refs = [ref(1, "", "{loc}"), ref(2, "a", ann=9), ref(3, "b", image=9), ref(4, "c", " ")]
    asked, _ = read(refcoco(tmp_path, refs))
    assert [question.id for question in asked] == ["40"]
    assert asked.dropped == {
        "objects without an annotation": 2,
        "sentences that are empty or have braces": 3,
        "objects without a sentence": 1,
    }


def test_boxes_of_another_data_set(tmp_path: Path) -> None:
    message = refuse(refcoco(tmp_path, [ref(1, "a", ann=9)]))
    assert "has none of the 1 objects of refs(unc).p (the first is annotation 9" in message


def test_boxes_elsewhere(tmp_path: Path) -> None:
    path = refcoco(tmp_path, [ref(1, "a")])
    (tmp_path / "instances.json").unlink()
    assert "instances.json: is not there; give --annotations" in refuse(path)
    assert "none.json: cannot be read" in refuse(path, annotations=tmp_path / "none.json")
    other = instances(tmp_path, "instances_train2014.json")
    assert len(read(path, annotations=other)[0]) == 1


@pytest.mark.parametrize(
    ("refs", "where"),
    [
        ({}, "Expected `array`"),
        ([ref(1, "a"), 3], "$[1]"),
        ([{**ref(1, "a"), "ref_id": None}], "$[0].ref_id"),
        ([{**ref(1), "sentences": [{"sent": "a"}]}], "$[0].sentences[0]"),
        ([ref(1, "a"), ref(1, "b")], "two objects have the id 1"),
        ([ref(1, "a"), {**ref(1, "b"), "ref_id": 2}], "two sentences have the id 10"),
    ],
)
def test_what_is_not_refcoco(refs: Any, where: str, tmp_path: Path) -> None:
    message = refuse(refcoco(tmp_path, refs))
    assert "refs(unc).p" in message
    assert where in message


def test_boxes_that_are_none(tmp_path: Path) -> None:
    path = refcoco(tmp_path, [ref(1, "a", ann=2)])
    tree = json.loads((tmp_path / "instances.json").read_text())
    tree["annotations"][1]["bbox"] = [5, 5, -1, 5]
    (tmp_path / "instances.json").write_text(json.dumps(tree))
    assert "annotations[1].bbox: box corners are swapped" in refuse(path)


@pytest.mark.parametrize(
    "name",
    [
        "COCO_train2014_000000000007.jpg",
        "000000000007.jpg",
        "train2014/COCO_train2014_000000000007.jpg",
        "train2017/000000000007.jpg",
        "val2017/000000000007.jpg",
    ],
)
def test_pictures_by_any_of_their_names(name: str, tmp_path: Path) -> None:
    path = refcoco(tmp_path, [ref(1, "a"), ref(2, "b", ann=3, image=8)])
    picture = tmp_path / "images" / name
    picture.parent.mkdir(parents=True)
    Image.new("RGB", (60, 40)).save(picture)
    asked, _ = read(path, images=tmp_path / "images")
    assert [question.image for question in asked] == [name]
    assert asked.skipped == {"pictures whose file is missing": 1}
    picture.unlink()
    assert "has none of the 2 pictures" in refuse(path, images=tmp_path / "images")


def google(folder: Path, tree: Any) -> Path:
    instances(folder)
    path = folder / "google_refexp_val_201511_coco_aligned.json"
    path.write_text(json.dumps(tree))
    return path


def test_google_refexp(tmp_path: Path) -> None:
    tree = {
        "images": {"7": {"image_id": 7, "region_candidates": []}},
        "annotations": {
            "1": {"annotation_id": 1, "image_id": 7, "refexp_ids": [5, 4], "category_id": 18}
        },
        "refexps": {
            "4": {"refexp_id": 4, "raw": "A dog.", "tokens": ["a", "dog"], "parse": {}},
            "5": {"refexp_id": 5, "raw": "The left dog", "tokens": ["the", "left", "dog"]},
        },
    }
    asked, [referent] = read(google(tmp_path, tree), "val,test")  # it has no splits
    assert (referent.id, referent.split) == ("1", "all")
    assert [(item.id, item.text) for item in referent.sentences] == [
        ("5", "The left dog"),
        ("4", "A dog."),
    ]
    assert asked.dropped == {}
    del tree["refexps"]["4"]
    assert "annotations['1'].refexp_ids has 4, which is not" in refuse(google(tmp_path, tree))


def test_rows_of_google_refexp(tmp_path: Path) -> None:
    rows = [
        {"image_id": 7, "annotation_id": 1, "gt_refexp": "a dog", "gen": "{u'id': 18}"},
        {"image_id": 8, "annotation_id": 3, "gt_refexp": "a cat", "gen": ""},
        {"image_id": 7, "annotation_id": 1, "gt_refexp": "the left dog", "gen": ""},
    ]
    asked, seen = read(google(tmp_path, rows))
    assert [referent.id for referent in seen] == ["1", "3"]
    assert [question.id for question in asked] == ["1/0", "1/1", "3/0"]
    assert "$[0].gt_refexp" in refuse(google(tmp_path, [{**rows[0], "gt_refexp": 3}]))


def test_a_box_of_another_picture_is_told(tmp_path: Path) -> None:
    path = refcoco(tmp_path, [ref(1, "a dog", ann=3, image=7)])
    with pytest.raises(InputError, match="annotation 3 is of image 8, .* of 7; give the file that"):
        read(path)
