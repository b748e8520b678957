from pathlib import Path

import pytest

from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.voc import read_voc
from locvlm.errors import InputError
from locvlm.geometry import Box

SIZE = "<size><width>100</width><height>50</height></size>"


def thing(name: str, *edges: object, more: str = "") -> str:
    xmin, ymin, xmax, ymax = edges
    return (
        f"<object><name>{name}</name>{more}<bndbox><xmax>{xmax}</xmax><xmin>{xmin}</xmin>"
        f"<ymax>{ymax}</ymax><ymin>{ymin}</ymin></bndbox></object>"
    )


def write(folder: Path, *parts: str, name: str = "a.xml", file: str = "a.jpg") -> Path:
    text = f"<annotation><filename>{file}</filename>{''.join(parts)}</annotation>"
    (folder / name).write_text(text)
    return folder


def boxes(data: AnnotationSet) -> list[Box]:
    return [item.box for image in data.images for item in image.objects]


def refuse(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_voc(folder)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_box_of_one_pixel(tmp_path: Path) -> None:
    data = read_voc(write(tmp_path, SIZE, thing("dog", 1, 1, 1, 1)))
    assert boxes(data) == [Box(0, 0, 1, 1)]


def test_the_whole_picture(tmp_path: Path) -> None:
    data = read_voc(write(tmp_path, SIZE, thing("dog", 1, 1, 100, 50)))
    assert boxes(data) == [Box(0, 0, 100, 50)]
    assert not data.drops


def test_fractions_of_pixels(tmp_path: Path) -> None:
    data = read_voc(write(tmp_path, SIZE, thing("dog", "45.7", "1", "60.25", "20")))
    assert boxes(data) == [Box(44.7, 0, 60.25, 20)]


def test_difficult_is_kept_and_parts_are_not_read(tmp_path: Path) -> None:
    head = "<part><name>head</name><bndbox><xmin>2</xmin></bndbox></part>"
    more = f"<difficult>1</difficult>{head}"
    data = read_voc(write(tmp_path, SIZE, thing("person", 1, 1, 9, 9, more=more)))
    assert [item.category for item in data.images[0].objects] == ["person"]
    assert data.categories == ("person",)


def test_zero_based_boxes_are_clipped_and_counted(tmp_path: Path) -> None:
    data = read_voc(write(tmp_path, SIZE, thing("dog", 0, 0, 9, 9)))
    assert boxes(data) == [Box(0, 0, 9, 9)]
    assert data.drops == {"boxes clipped to the picture": 1}


def test_no_box_and_no_area(tmp_path: Path) -> None:
    bare = "<object><name>cat</name></object>"
    data = read_voc(write(tmp_path, SIZE, bare, thing("dog", 9, 9, 3, 3)))
    assert boxes(data) == []
    assert data.categories == ("cat", "dog")
    assert data.drops == {"objects without a box": 1, "boxes without area": 1}


def test_the_name_inside_may_be_another_file_s(tmp_path: Path) -> None:
    write(tmp_path, SIZE, name="a.xml", file="a.jpg")
    write(tmp_path, SIZE, name="b.xml", file="a.jpg")
    (tmp_path / "b.jpg").touch()
    data = read_voc(tmp_path, images=tmp_path)
    assert [image.file_name for image in data.images] == ["b.jpg"]
    assert data.drops == {
        "pictures whose file is missing": 1,
    } or data.drops == {"files of a picture that another file annotates": 1}


def test_two_files_of_one_picture(tmp_path: Path) -> None:
    write(tmp_path, SIZE, name="a.xml")
    write(tmp_path, SIZE, thing("dog", 1, 1, 2, 2), name="b.xml")
    data = read_voc(tmp_path)
    assert [(image.id, image.objects) for image in data.images] == [("a", ())]
    assert data.drops == {"files of a picture that another file annotates": 1}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([SIZE, thing("", 1, 1, 2, 2)], "a.xml: object 1 has no name"),
        ([SIZE, thing("dog", 1, 1, "x", 2)], "object 1, bndbox xmax: 'x' is not a number"),
        ([SIZE, thing("dog", 1, 1, "nan", 2)], "bndbox xmax: 'nan' is not a finite number"),
        ([SIZE, thing("dog", 1, 1, "", 2)], "bndbox xmax: '' is not a number"),
        ([SIZE.replace("100", "-3")], "size is -3 × 50 pixels"),
        ([SIZE.replace("100", "1e400")], "size width"),
        (["<b>"], "not XML (mismatched tag"),
    ],
)
def test_what_cannot_be_read_is_named(parts: list[str], said: str, tmp_path: Path) -> None:
    message = refuse(write(tmp_path, *parts))
    assert "a.xml" in message
    assert said in message


def test_a_name_that_leads_away(tmp_path: Path) -> None:
    assert "'../a.jpg' does not stay" in refuse(write(tmp_path, SIZE, file="../a.jpg"))


def test_another_root(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<html/>")
    assert "root is not <annotation>" in refuse(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-7", "no-such", "shift_jis", "idna"])
def test_encodings_that_expat_does_not_have(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(f'<?xml version="1.0" encoding="{encoding}"?><annotation/>')
    assert "a.xml" in refuse(tmp_path)


def test_empty_folder(tmp_path: Path) -> None:
    assert "no folder with XML files" in refuse(tmp_path)
