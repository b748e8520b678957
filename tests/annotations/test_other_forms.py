import json
from pathlib import Path
from typing import Any

import pytest

from locvlm import annotations
from locvlm.errors import InputError

BOX = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}


def refuse(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        annotations.detect_format(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.zip", "PK", "an archive; unpack it"),
        ("a.tar.gz", "", "an archive; unpack it"),
        ("7.xml", "<annotation><filename>7.jpg</filename></annotation>", "one XML file of VOC"),
        ("r.json", [{**BOX, "score": 0.5}], "results of a detector in COCO's form"),
        (
            "m.json",
            [{"image": "7.jpg", "annotations": [{"label": "dog", "coordinates": {"x": 1}}]}],
            "the JSON of CreateML",
        ),
        (
            "d.json",
            [{"file_name": "7.jpg", "annotations": [{"bbox": [1, 2, 3, 4], "bbox_mode": 0}]}],
            "in the form of Detectron2",
        ),
        ("u.json", {"items": [{"annotations": [{"label_id": 0}]}]}, "the JSON of Datumaro"),
        ("l.csv", "id,image,label,annotator\n", "a CSV export of Label Studio"),
        ("s.csv", "image;width;height;class\n", "semicolons between its columns"),
        ("n.csv", "7.jpg,10,20,110,220,dog\n", "a table without a line of names"),
    ],
)
def test_files(tmp_path: Path, name: str, content: Any, said: str) -> None:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    assert f"{path}: looks like " in refuse(path)
    assert said in refuse(path)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("_annotations.coco.json", "give one of them: _annotations.coco.json"),
        ("annotations/instances.json", "give one of them: annotations/instances.json"),
        ("boxes/7.xml", "give one of them: boxes"),
        ("labels/7.txt", "the names of the classes are needed"),
    ],
)
def test_folders(tmp_path: Path, file: str, said: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("{}" if path.suffix == ".json" else "")
    assert said in refuse(tmp_path)


def test_what_is_unknown(tmp_path: Path) -> None:
    assert "the form of these annotations cannot be told: nothing known in it" in refuse(tmp_path)


@pytest.mark.parametrize(
    ("annotation", "said"),
    [({"caption": "a dog"}, "give it as --captions"), ({"segments_info": []}, "a panoptic file")],
)
def test_coco_without_boxes(tmp_path: Path, annotation: Any, said: str) -> None:
    path = tmp_path / "a.json"
    image = {"id": 1, "file_name": "7.jpg", "width": 9, "height": 9}
    path.write_text(json.dumps({"images": [image], "annotations": [{"image_id": 1, **annotation}]}))
    with pytest.raises(InputError, match=said):
        annotations.read("coco", path)
