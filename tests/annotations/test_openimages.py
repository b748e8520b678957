from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from locvlm.annotations.openimages import read_openimages
from locvlm.errors import InputError

HEAD = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf\n"
CLASSES = '/m/1,Dog\n/m/2,Cat\n/m/3,"Bed, double"\n'
LABELS = "ImageID,Source,LabelName,Confidence\n"


@pytest.fixture
def folder(tmp_path: Path, jpeg: Callable[..., bytes]) -> Path:
    (tmp_path / "7.jpg").write_bytes(jpeg())
    (tmp_path / "class-descriptions-boxable.csv").write_text(CLASSES)
    return tmp_path


def boxes(folder: Path, *rows: str) -> Path:
    path = folder / "boxes.csv"
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows))
    return path


def refuse(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_openimages(path, **options)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_no_boxes(folder: Path) -> None:
    data = read_openimages(boxes(folder), images=folder)
    assert data.images == ()
    assert data.categories == ("Dog", "Cat", "Bed, double")


def test_without_image_labels_nothing_is_absent(folder: Path) -> None:
    data = read_openimages(boxes(folder, "7,x,/m/1,1,0,1,0,1,0"), images=folder)
    assert data.images[0].absent == ()


def test_absent_is_what_a_person_did_not_find(folder: Path) -> None:
    labels = folder / "labels.csv"
    rows = ("7,v,/m/2,0", "7,v,/m/1,1", "7,v,/m/3,0.0", "8,v,/m/2,0", "7,v,/m/9,0", "7,v,/m/2,0")
    labels.write_text(LABELS + "".join(f"{row}\n" for row in rows))
    path = boxes(folder, "7,x,/m/1,1,0,1,0,1,0")
    data = read_openimages(path, images=folder, image_labels=labels)
    assert data.images[0].absent == ("Cat", "Bed, double")
    assert data.drops == {
        "image labels of other pictures": 1,
        "image labels of categories without boxes": 1,
    }


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("validation-annotations-bbox.csv", "validation-annotations-human-imagelabels-boxable.csv"),
        ("validation-annotations-bbox.csv", "oidv7-val-annotations-human-imagelabels.csv"),
        ("oidv6-train-annotations-bbox.csv", "oidv7-train-annotations-human-imagelabels.csv"),
        ("train-annotations-bbox.csv", "train-annotations-human-imagelabels.csv"),
    ],
)
def test_image_labels_beside_the_boxes(name: str, labels: str, folder: Path) -> None:
    path = boxes(folder, "7,x,/m/1,1,0,1,0,1,0").rename(folder / name)
    (folder / labels).write_text(LABELS + "7,v,/m/2,0\n")
    data = read_openimages(path, images=folder)
    assert data.images[0].absent == ("Cat",)
    assert data.options == {
        "classes": str(folder / "class-descriptions-boxable.csv"),
        "image_labels": str(folder / labels),
    }


def test_image_labels_of_another_split_are_not_taken(folder: Path) -> None:
    path = boxes(folder, "7,x,/m/1,1,0,1,0,1,0").rename(folder / "train-annotations-bbox.csv")
    (folder / "test-annotations-human-imagelabels.csv").write_text(LABELS + "7,v,/m/2,0\n")
    assert read_openimages(path, images=folder).images[0].absent == ()


def test_groups_are_crowds(folder: Path) -> None:
    rows = ("7,x,/m/1,1,0,1,0,1,1", "7,x,/m/2,1,0,1,0,1,0")
    data = read_openimages(boxes(folder, *rows), images=folder)
    assert [item.crowd for item in data.images[0].objects] == [True, False]


def test_class_names_with_a_header(folder: Path) -> None:
    classes = folder / "oidv7.csv"
    classes.write_text("LabelName,DisplayName\n" + CLASSES)
    path = boxes(folder, "7,x,/m/1,1,0,1,0,1,0")
    data = read_openimages(path, images=folder, classes=classes)
    assert data.categories == ("Dog", "Cat", "Bed, double")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("7,x,/m/9,1,0,1,0,1,0", "line 2: the label '/m/9' is not in the file of class names"),
        ("7,x,/m/1,1,0,nan,0,1,0", "line 2, XMax: 'nan' is not a finite number"),
        ("7,x,/m/1,1,0,,0,1,0", "line 2, XMax: '' is not a number"),
        ("../7,x,/m/1,1,0,1,0,1,0", "line 2, ImageID: the file name '../7' does not stay"),
        ("7,x,/m/1,1,0,1", "line 2: does not have 9 columns"),
        ("7,x,/m/1,1,0,1e308,0,1,0", "line 2"),
    ],
)
def test_broken_rows_name_their_line(row: str, said: str, folder: Path) -> None:
    assert said in refuse(boxes(folder, row), images=folder)


def test_a_class_without_a_name(folder: Path) -> None:
    (folder / "class-descriptions-boxable.csv").write_text("/m/1,Dog\n/m/2, \n")
    assert "boxable.csv: line 2: '/m/2' has no name" in refuse(boxes(folder), images=folder)


def test_what_has_to_be_given(folder: Path) -> None:
    path = boxes(folder)
    assert "give the folder of the pictures" in refuse(path)
    (folder / "class-descriptions-boxable.csv").unlink()
    assert "give the file of the class names" in refuse(path, images=folder)
