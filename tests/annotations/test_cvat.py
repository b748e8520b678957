from pathlib import Path

import pytest
from PIL import Image

from locvlm import annotations
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.cvat import read_cvat
from locvlm.annotations.every_split import read_every_split
from locvlm.errors import InputError
from locvlm.geometry import coords_of

IMAGE = '<image id="3" name="a.jpg" width="100" height="80">{}</image>'


def read(folder: Path, shapes: str, image: str = IMAGE, labels: str = "cat dog") -> AnnotationSet:
    names = "".join(f"<label><name>{name}</name></label>" for name in labels.split())
    path = folder / "annotations.xml"
    meta = f"<meta><task><labels>{names}</labels></task></meta>"
    path.write_text(f"<annotations>{meta}{image.format(shapes)}</annotations>")
    assert annotations.detect_format(path)[0] == "cvat"
    assert annotations.detect_format(folder)[0] == "cvat"
    return read_cvat(folder)


@pytest.mark.parametrize(
    ("shape", "box", "kind"),
    [
        ('<box {} xtl="10" ytl="20" xbr="50" ybr="60"/>', (10, 20, 50, 60), ""),
        ('<box {} xtl="10" ytl="20" xbr="50" ybr="60" rotation="0.0"/>', (10, 20, 50, 60), ""),
        (
            '<box {} xtl="10" ytl="30" xbr="50" ybr="50" rotation="90"/>',
            (20, 20, 40, 60),
            "rotated boxes",
        ),
        ('<polygon {} points="10,20;50,20;30,60"/>', (10, 20, 50, 60), "polygons"),
        ('<polyline {} points="10,20;50,60"/>', (10, 20, 50, 60), "lines"),
        ('<ellipse {} cx="30" cy="40" rx="20" ry="10"/>', (10, 30, 50, 50), "ellipses"),
        (
            '<mask {} rle="1, 2" left="10" top="20" width="40" height="40"/>',
            (10, 20, 50, 60),
            "masks",
        ),
        (
            '<cuboid {} xtl1="10" ytl1="20" xbl1="10" ybl1="60" xtr1="40" ytr1="20" xbr1="40" '
            'ybr1="60" xtl2="20" ytl2="25" xbl2="20" ybl2="50" xtr2="50" ytr2="25" xbr2="50" '
            'ybr2="50"/>',
            (10, 20, 50, 60),
            "cuboids",
        ),
    ],
)
def test_shapes(shape: str, box: tuple[float, ...], kind: str, tmp_path: Path) -> None:
    data = read(tmp_path, shape.format('label="dog" occluded="0"'))
    [item] = data.images[0].objects
    assert item.category == "dog"
    assert coords_of(item.box) == pytest.approx(box)
    lost = {f"{kind}, of which the upright box around them is taken": 1}
    assert data.drops == (lost if kind else {})
    assert data.images[0].absent_of(data.categories) == ["cat"]


@pytest.mark.parametrize(
    "shape", ['<points {} points="1,2"/>', "<tag {}/>", "<skeleton {}><points/></skeleton>"]
)
def test_shapes_without_a_box_are_there(shape: str, tmp_path: Path) -> None:
    data = read(tmp_path, shape.format('label="dog"'))
    assert data.images[0].objects == ()
    assert data.images[0].absent_of(data.categories) == ["cat"]
    assert sum(data.drops.values()) == 1


def test_pictures_in_the_folder_images(tmp_path: Path) -> None:
    (tmp_path / "images" / "Train").mkdir(parents=True)
    (tmp_path / "images" / "Train" / "a.jpg").touch()
    read(tmp_path, "", IMAGE.replace("name=", 'subset="Train" name='))
    [image] = read_cvat(tmp_path, images=tmp_path).images
    assert image.file_name == "images/Train/a.jpg"
    assert image.objects == ()


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ('<box label="dog" xtl="a" ytl="2" xbr="3" ybr="4"/>', "box 0 xtl: 'a' is not a number"),
        ('<box label="dog"/>', "xtl: None is not a number"),
        ('<box xtl="1" ytl="2" xbr="3" ybr="4"/>', "has no label"),
        ('<polygon label="dog" points="1;2"/>', "its points are not x,y"),
        ('<polygon label="dog" points=""/>', "has no points"),
    ],
)
def test_broken_shapes(shape: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, shape)


def test_videos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has tracks of a video; export it from CVAT as"):
        read(tmp_path, "", '<track id="0" label="dog"></track>')


def test_subsets_of_a_project_are_splits(tmp_path: Path) -> None:
    size = 'width="100" height="80"'
    subsets = ("Train", "Validation", "default", "Train")
    rows = "".join(
        f'<image id="{n}" name="{n}.jpg" subset="{s}" {size}/>' for n, s in enumerate(subsets)
    )
    path = tmp_path / "annotations.xml"
    path.write_text(f"<annotations>{rows}</annotations>")
    for number, subset in enumerate(subsets):
        file = tmp_path / "images" / subset / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100, 80)).save(file)
    data = annotations.read("cvat", path, images=tmp_path)
    assert [(image.id, image.split) for image in data.images] == [("0", "train"), ("3", "train")]
    assert (data.splits, data.options) == (("train", "val"), {"split": "train"})
    assert data.drops == {"pictures that belong to no split": 1}
    (held_out,) = annotations.read("cvat", path, images=tmp_path, split="val").images
    assert (held_out.file_name, held_out.split) == ("images/Validation/1.jpg", "val")
    every = read_every_split("cvat", path, images=tmp_path)
    assert [image.split for image in every.images] == ["train", "train", "val"]
    whole = annotations.read("cvat", path, split="all")
    assert [image.split for image in whole.images] == ["train", "val", "", "train"]
    with pytest.raises(InputError, match="no split 'test'; it has: 'train, val'"):
        annotations.read("cvat", path, split="test")


def test_a_task_has_no_splits(tmp_path: Path) -> None:
    image = IMAGE.replace("width", 'subset="default" width')
    data = read(tmp_path, "", image)
    assert (data.splits, data.options, data.images[0].split) == ((), {}, "")
