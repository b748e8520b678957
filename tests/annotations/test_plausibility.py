import json
import pickle
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from locvlm import annotations
from locvlm.annotations import box_forms
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.form_names import BoxForm
from locvlm.annotations.plausibility import OwnForm, check_boxes
from locvlm.errors import InputError
from locvlm.geometry import coords_of

WIDTH, HEIGHT = 640, 480
CORNERS = [(300 + 5 * i, 200, 460 + 5 * i, 400) for i in range(8)]


def write(folder: Path, boxes: Any) -> Path:
    path = folder / "boxes.json"
    size = {"width": WIDTH, "height": HEIGHT}
    tree = {
        "images": [{"id": i, "file_name": f"{i}.jpg", **size} for i in range(len(boxes))],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": list(box)}
            for i, box in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "box"}],
    }
    path.write_text(json.dumps(tree))
    return path


def read(folder: Path, written: Any, **options: Any) -> AnnotationSet:
    return annotations.read("coco", write(folder, written), **options)


def boxes_of(data: AnnotationSet) -> list[tuple[float, ...]]:
    return [coords_of(item.box) for image in data.images for item in image.objects]


def refuse(folder: Path, boxes: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, boxes)
    message = str(caught.value)
    assert "\n" not in message
    return message


def xywh(box: Any) -> tuple[float, ...]:
    x1, y1, x2, y2 = box
    return (x1, y1, x2 - x1, y2 - y1)


def cxcywh(box: Any) -> tuple[float, ...]:
    x1, y1, x2, y2 = box
    return ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)


def shares(box: Any) -> tuple[float, ...]:
    return tuple(n / side for n, side in zip(box, (WIDTH, HEIGHT) * 2, strict=True))


@pytest.mark.parametrize(
    ("written", "flag"),
    [
        (CORNERS, "xyxy"),
        ([cxcywh((x1 + 60, y1 + 70, 640, 480)) for x1, y1, *_ in CORNERS], "cxcywh"),
        ([shares(xywh(box)) for box in CORNERS], "shares"),
        ([shares(box) for box in CORNERS], "shares-xyxy"),
        ([shares(cxcywh((x1, y1, 640, 480))) for x1, y1, *_ in CORNERS], "shares-cxcywh"),
    ],
)
def test_what_the_numbers_prove_is_refused_and_the_flag_reads_it(
    tmp_path: Path, written: Any, flag: str
) -> None:
    assert f"--boxes {flag} reads them so" in refuse(tmp_path, written)
    data = read(tmp_path, written, boxes=flag)
    assert not data.drops
    assert data.options == {"boxes": flag}
    if flag in ("xyxy", "shares", "shares-xyxy"):
        assert np.allclose(boxes_of(data), CORNERS)


@pytest.mark.parametrize(("across", "down"), [(WIDTH, 1), (1, HEIGHT)])
def test_shares_on_one_side_alone(tmp_path: Path, across: int, down: int) -> None:
    written = [(x / across, y / down, w / across, h / down) for x, y, w, h in map(xywh, CORNERS)]
    assert "look like shares on one side and pixels on the other" in refuse(tmp_path, written)
    assert read(tmp_path, written, boxes="xywh").remarks


def test_y_first(tmp_path: Path) -> None:
    written = [(y1, x1, y2, x2) for x1, y1, x2, y2 in SPREAD]
    assert "--boxes yxyx reads them so" in refuse(tmp_path, written)
    assert boxes_of(read(tmp_path, written, boxes="yxyx")) == SPREAD


def test_width_and_height_of_the_pictures_swapped(tmp_path: Path) -> None:
    upright = [(10 + 20 * i, 150 + 42 * i, 40, 40) for i in range(11)]
    written = [(y, x, h, w) for x, y, w, h in upright]
    assert not read(tmp_path, written).drops
    assert "width and height are swapped" in refuse(tmp_path, upright)


def test_the_flag_of_the_format_takes_boxes_as_they_are(tmp_path: Path) -> None:
    assert read(tmp_path, CORNERS, boxes="xywh").drops == {"boxes clipped to the picture": 8}


def test_an_unknown_form(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown form of boxes 'xyzw'"):
        read(tmp_path, CORNERS, boxes="xyzw")


def test_few_boxes_prove_nothing(tmp_path: Path) -> None:
    data = read(tmp_path, CORNERS[:3])
    assert data.drops == {"boxes clipped to the picture": 3}
    assert "annotations[0].bbox (id 0)" in data.drops.examples["boxes clipped to the picture"]  # type: ignore[attr-defined]


def test_boxes_of_larger_pictures(tmp_path: Path) -> None:
    large = [(700 + 30 * i, 500 + 20 * i, 100, 90) for i in range(10)]
    assert "pictures 2" in refuse(tmp_path, [*large, (1180, 860, 100, 100)])


def test_some_odd_boxes_are_counted_alone(tmp_path: Path) -> None:
    good = [xywh(box) for box in CORNERS] * 3
    data = read(tmp_path, [*good, (600, 0, 100, 100), (0, 0, 0, 9), (900, 0, 9, 9)])
    assert sorted(data.drops.values()) == [1, 1, 1]
    assert data.remarks == ()


def test_what_may_be_right_is_told(tmp_path: Path) -> None:
    thin = [(10 * i, 10, 0.5, 40) for i in range(12)]
    assert read(tmp_path, thin).remarks == ("12 of 12 boxes are narrower than a pixel",)
    assert read(tmp_path, [(1, 2, 30, 40)] * 12).remarks == ("12 of 12 boxes are the same",)


def test_a_table_with_sizes_in_place_of_corners(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = ["image,width,height,category,x1,y1,x2,y2"]
    rows += [
        f"{i}.jpg,640,480,box,{','.join(map(str, xywh(box)))}" for i, box in enumerate(CORNERS)
    ]
    path.write_text("\n".join(rows))
    with pytest.raises(InputError, match="--boxes xywh reads them so"):
        annotations.read("table", path)
    assert boxes_of(annotations.read("table", path, boxes="xywh")) == CORNERS


@given(st.data())
def test_boxes_inside_their_pictures_are_never_refused(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 40))
    rows = []
    for _ in range(count):
        width, height = (data.draw(st.integers(16, 4000)) for _ in range(2))
        x = sorted(data.draw(st.lists(st.integers(0, width), min_size=2, max_size=2, unique=True)))
        y = sorted(data.draw(st.lists(st.integers(0, height), min_size=2, max_size=2, unique=True)))
        rows.append((x[0], y[0], x[1], y[1], width, height))
    table = np.array(rows, np.float64).reshape(-1, 6)
    for own in ("xywh", "xyxy", "cxcywh"):
        for unit in ("pixels", "shares", "percent"):
            check_boxes(Path("some.json"), table, OwnForm(own, unit))  # type: ignore[arg-type]


# Of every reader: a sample whose boxes are of the wrong form, and the flag that reads them.
SEVERAL = [(300 + 20 * i, 200 + 10 * i, 460 + 20 * i, 260 + 10 * i) for i in range(9)]
SPREAD = [(x, y, x + 150, y + 100) for x in (10, 150, 300, 450) for y in (5, 120, 240, 350)]


def write_voc(folder: Path, numbers: Any) -> Path:
    for i, row in enumerate(numbers):
        edges = zip(("xmin", "ymin", "xmax", "ymax"), row, strict=True)
        bounds = "".join(f"<{name}>{number}</{name}>" for name, number in edges)
        (folder / f"{i}.xml").write_text(
            f"<annotation><filename>{i}.jpg</filename><size><width>{WIDTH}</width><height>{HEIGHT}"
            f"</height></size><object><name>box</name><bndbox>{bounds}</bndbox></object>"
            "</annotation>"
        )
    return folder


def write_yolo(folder: Path, numbers: Any) -> Path:
    (folder / "data.yaml").write_text("train: images\nnames: [box]\n")
    for i, row in enumerate(numbers):
        for name in ("images", "labels"):
            (folder / name).mkdir(exist_ok=True)
        Image.new("L", (WIDTH, HEIGHT)).save(folder / f"images/{i}.png")
        (folder / f"labels/{i}.txt").write_text(" ".join(map(str, (0, *row))))
    return folder


def write_openimages(folder: Path, numbers: Any) -> Path:
    rows = ["ImageID,LabelName,XMin,YMin,XMax,YMax"]
    for i, row in enumerate(numbers):
        Image.new("L", (WIDTH, HEIGHT)).save(folder / f"{i}.jpg")
        rows.append(",".join(map(str, (i, "/m/1", *row))))
    (folder / "class-descriptions-boxable.csv").write_text("/m/1,box\n")
    (folder / "boxes.csv").write_text("\n".join(rows))
    return folder / "boxes.csv"


def write_visualgenome(folder: Path, numbers: Any) -> Path:
    size = {"width": WIDTH, "height": HEIGHT}
    rows = [
        {"image_id": i, "objects": [{**dict(zip("xywh", row, strict=True)), "names": ["box"]}]}
        for i, row in enumerate(numbers)
    ]
    sizes = [{"image_id": i, **size} for i in range(len(numbers))]
    (folder / "objects.json").write_text(json.dumps(rows))
    (folder / "image_data.json").write_text(json.dumps(sizes))
    return folder


def write_refcoco(folder: Path, numbers: Any) -> Path:
    tree = json.loads(write(folder, numbers).read_text())
    (folder / "instances.json").write_text(json.dumps(tree))
    ref = {"split": "train", "sentences": [{"sent": "the box"}]}
    refs = [{**ref, "ann_id": i, "image_id": i} for i in range(len(numbers))]
    (folder / "refs(unc).p").write_bytes(pickle.dumps(refs, 0))
    return folder


def write_cvat(folder: Path, numbers: Any) -> Path:
    rows = []
    for i, row in enumerate(numbers):
        edges = zip(("xtl", "ytl", "xbr", "ybr"), row, strict=True)
        box = " ".join(f'{name}="{number}"' for name, number in edges)
        size = f'width="{WIDTH}" height="{HEIGHT}"'
        rows.append(f'<image id="{i}" name="{i}.jpg" {size}><box label="box" {box}/></image>')
    (folder / "a.xml").write_text(f"<annotations>{''.join(rows)}</annotations>")
    return folder / "a.xml"


def write_labelme(folder: Path, numbers: Any) -> Path:
    for i, (x1, y1, x2, y2) in enumerate(numbers):
        shape = {"label": "box", "shape_type": "rectangle", "points": [[x1, y1], [x2, y2]]}
        size = {"imageWidth": WIDTH, "imageHeight": HEIGHT, "imagePath": f"{i}.jpg"}
        (folder / f"{i}.json").write_text(json.dumps({"shapes": [shape], **size}))
    return folder


def write_labelstudio(folder: Path, numbers: Any) -> Path:
    tasks = []
    for i, row in enumerate(numbers):
        value = dict(zip(("x", "y", "width", "height"), row, strict=True))
        region = {"value": {**value, "rectanglelabels": ["box"]}}
        region |= {"original_width": WIDTH, "original_height": HEIGHT}
        data = {"data": {"image": f"{i}.jpg"}, "annotations": [{"result": [region]}]}
        tasks.append({"id": i, **data})
    (folder / "ls.json").write_text(json.dumps(tasks))
    return folder / "ls.json"


def write_via(folder: Path, numbers: Any) -> Path:
    tree = {}
    for i, row in enumerate(numbers):
        Image.new("L", (WIDTH, HEIGHT)).save(folder / f"{i}.jpg")
        shape = {"name": "rect", **dict(zip(("x", "y", "width", "height"), row, strict=True))}
        region = {"shape_attributes": shape, "region_attributes": {"class": "box"}}
        tree[str(i)] = {"filename": f"{i}.jpg", "regions": [region]}
    (folder / "via.json").write_text(json.dumps(tree))
    return folder / "via.json"


@pytest.mark.parametrize(
    ("reader", "writer", "form", "flag"),
    [
        ("voc", write_voc, shares, "shares"),
        ("voc", write_voc, xywh, "xywh"),
        ("openimages", write_openimages, lambda box: shares(xywh(box)), "shares-xywh"),
        ("openimages", write_openimages, tuple, "xyxy"),
        ("visualgenome", write_visualgenome, tuple, "xyxy"),
        ("refcoco", write_refcoco, tuple, "xyxy"),
        ("cvat", write_cvat, shares, "shares"),
        ("cvat", write_cvat, xywh, "xywh"),
        ("labelme", write_labelme, shares, "shares"),
        ("labelstudio", write_labelstudio, xywh, "xywh"),
        ("labelstudio", write_labelstudio, lambda box: shares(xywh(box)), "shares"),
        ("via", write_via, lambda box: shares(xywh(box)), "shares"),
        ("via", write_via, tuple, "xyxy"),
    ],
)
def test_every_reader_has_the_flag(
    tmp_path: Path, reader: str, writer: Any, form: Any, flag: str
) -> None:
    path = writer(tmp_path, [form(box) for box in SEVERAL])
    with pytest.raises(InputError, match=f"--boxes {flag} reads them so"):
        annotations.read(reader, path, images=_folder(reader, tmp_path))
    data = annotations.read(reader, path, images=_folder(reader, tmp_path), boxes=flag)
    assert np.allclose(boxes_of(data), SEVERAL)


def _folder(reader: str, folder: Path) -> Path | None:
    return folder if reader in ("openimages", "via") else None


@pytest.mark.parametrize(("form", "flag"), [(tuple, "shares-xyxy"), (xywh, "shares-xywh")])
def test_yolo_without_centers(tmp_path: Path, form: Any, flag: str) -> None:
    path = write_yolo(tmp_path, [shares(form(box)) for box in SPREAD])
    with pytest.raises(InputError, match=f"--boxes {flag} reads them so"):
        annotations.read("yolo", path)
    assert np.allclose(sorted(boxes_of(annotations.read("yolo", path, boxes=flag))), SPREAD)


def test_yolo_in_pixels(tmp_path: Path) -> None:
    path = write_yolo(tmp_path, [cxcywh(box) for box in SEVERAL])
    with pytest.raises(InputError, match="line 1: 380 is no share of the picture; --boxes cxcywh"):
        annotations.read("yolo", path)
    assert boxes_of(annotations.read("yolo", path, boxes="cxcywh")) == SEVERAL


def test_voc_from_0(tmp_path: Path) -> None:
    path = write_voc(tmp_path, SEVERAL)
    assert boxes_of(annotations.read("voc", path))[0] == (299, 199, 460, 260)
    assert boxes_of(annotations.read("voc", path, boxes="xyxy")) == SEVERAL


def test_voc_that_begins_at_0(tmp_path: Path) -> None:
    edges = [(0, i, 40 + i, 60) for i in range(5)]
    [remark] = annotations.read("voc", write_voc(tmp_path, [*edges, *SEVERAL])).remarks
    assert remark.startswith("5 of 14 boxes begin at 0, though the form counts pixels from 1")
    assert not annotations.read("voc", tmp_path, boxes="xyxy").remarks


def test_boxes_of_smaller_copies_are_told(tmp_path: Path) -> None:
    small = [(10 + 9 * i, 20 + 7 * i, 30, 30) for i in range(25)]
    [remark] = read(tmp_path, small).remarks
    assert remark.startswith("all 25 boxes lie in the first 45 % of their pictures'")


FORMS = st.sampled_from([*get_args(BoxForm), None])


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4),
    st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
    FORMS,
    st.sampled_from(["xywh", "xyxy", "cxcywh"]),
)
def test_one_box_and_many_are_read_alike(
    numbers: list[float], size: tuple[int, int], form: Any, own: str
) -> None:
    one = box_forms.corners_of(numbers, size, form, own)
    many = box_forms.to_corners(np.array([numbers]), np.array([size]), form, own)
    assert one == tuple(many[0].tolist())
