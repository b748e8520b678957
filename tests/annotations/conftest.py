"""The same two pictures in every form: 7.jpg with a dog at (4, 6, 24, 21), 8.jpg without a dog."""

import io
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from locvlm.instructions.build_files import build_from_files

WIDTH, HEIGHT = 40, 30
DOG = (4, 6, 24, 21)

Files = dict[str, bytes]  # name, relative to the sample's folder -> content


@dataclass(frozen=True)
class Sample:
    """Annotations and pictures, not written yet."""

    reader: str
    path: str  # what is given to the reader
    images: str  # folder of the pictures
    files: Files

    def write(self, folder: Path) -> Path:
        """All files into `folder`; what is to be given to the reader."""
        for name, content in self.files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return folder / self.path


@pytest.fixture(scope="session")
def jpeg() -> Callable[..., bytes]:
    """Makes a JPEG whose pixels are stored as WIDTH × HEIGHT."""
    return _jpeg


@pytest.fixture(scope="session")
def samples() -> dict[str, Sample]:
    """A good sample for every reader, by its name."""
    made = (
        *(_coco(), _objects365(), _lvis(), _voc(), _yolo(), _openimages(), _visualgenome()),
        *(_refcoco(), _flickr30k(), _table(), _datasets(), _built()),
        *(_labelstudio(), _cvat(), _labelme(), _via(), _supervisely()),
    )
    return {sample.reader: sample for sample in made}


def _jpeg(orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT)).save(out, "JPEG", exif=exif)
    return out.getvalue()


def _pictures(folder: str) -> Files:
    return {f"{folder}/7.jpg": _jpeg(), f"{folder}/8.jpg": _jpeg()}


def _json(tree: Any) -> bytes:
    return json.dumps(tree).encode()


def _instances(**more: Any) -> dict[str, Any]:
    size = {"width": WIDTH, "height": HEIGHT}
    return {
        "images": [
            {"id": number, "file_name": f"{number}.jpg", **size, **more} for number in (7, 8)
        ],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 18, "bbox": [4, 6, 20, 15], "iscrowd": 0}
        ],
        "categories": [{"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}],
    }


def _coco() -> Sample:
    return Sample("coco", "c.json", "photos", {"c.json": _json(_instances())} | _pictures("photos"))


def _objects365() -> Sample:
    tree = _instances()
    for image in tree["images"]:
        image["file_name"] = f"images/v1/patch0/{image['file_name']}"
    tree["annotations"][0]["isfake"] = 0
    return Sample("objects365", "o.json", ".", {"o.json": _json(tree)} | _pictures("patch0"))


def _lvis() -> Sample:
    tree = _instances(neg_category_ids=[17], not_exhaustive_category_ids=[])
    for image in tree["images"]:
        image["coco_url"] = f"http://images.cocodataset.org/val2017/{image.pop('file_name')}"
    return Sample("lvis", "l.json", ".", {"l.json": _json(tree)} | _pictures("val2017"))


def _xml(name: str, *objects: str, size: bool = True) -> bytes:
    sides = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
    return (
        f"<annotation><filename>{name}</filename>{sides if size else ''}"
        f"{''.join(objects)}</annotation>"
    ).encode()


_BNDBOX = "<bndbox><xmin>5</xmin><ymin>7</ymin><xmax>24</xmax><ymax>21</ymax></bndbox>"


def _voc() -> Sample:
    dog = f"<object><name>dog</name><difficult>0</difficult>{_BNDBOX}</object>"
    files = {"Annotations/7.xml": _xml("7.jpg", dog), "Annotations/8.xml": _xml("8.jpg")}
    return Sample("voc", ".", "JPEGImages", files | _pictures("JPEGImages"))


def _yolo() -> Sample:
    yaml = b"path: .\ntrain: images/train\nnames:\n  0: cat\n  1: dog\n"
    labels = {"labels/train/7.txt": b"1 0.35 0.45 0.5 0.5\n", "labels/train/8.txt": b""}
    return Sample(
        "yolo", "data.yaml", ".", {"data.yaml": yaml} | labels | _pictures("images/train")
    )


def _openimages() -> Sample:
    boxes = (
        b"ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsGroupOf\n"
        b"7,x,/m/0bt9lr,1,0.1,0.6,0.2,0.7,0,0\n"
    )
    files = {"b.csv": boxes, "class-descriptions-boxable.csv": b"/m/0bt9lr,Dog\n/m/01yrx,Cat\n"}
    return Sample("openimages", "b.csv", "photos", files | _pictures("photos"))


def _visualgenome() -> Sample:
    dog = {"object_id": 1, "x": 4, "y": 6, "w": 20, "h": 15, "names": ["dog"]}
    region = {"region_id": 5, "x": 4, "y": 6, "width": 20, "height": 15, "phrase": "a dog runs"}
    size = {"width": WIDTH, "height": HEIGHT}
    pictures = [
        {"image_id": i, "url": f"https://example.org/VG_100K/{i}.jpg"} | size for i in (7, 8)
    ]
    files = {
        "objects.json": _json([{"image_id": 7, "objects": [dog]}, {"image_id": 8, "objects": []}]),
        "region_descriptions.json": _json([{"id": 7, "regions": [region]}]),
        "image_data.json": _json(pictures),
    }
    return Sample("visualgenome", ".", ".", files | _pictures("VG_100K"))


def _refcoco() -> Sample:
    refs = [
        {
            **{"ref_id": 0, "ann_id": 1, "image_id": 7, "split": "train", "sent_ids": [0]},
            "sentences": [{"sent": "the dog", "raw": "The dog.", "tokens": ["the", "dog"]}],
        }
    ]
    files = {"refs(unc).p": pickle.dumps(refs, 0), "instances.json": _json(_instances())}
    return Sample("refcoco", ".", "photos", files | _pictures("photos"))


def _flickr30k() -> Sample:
    dog = f"<object><name>283</name>{_BNDBOX}</object>"
    scene = "<object><name>284</name><scene>1</scene><nobndbox>0</nobndbox></object>"
    files = {
        "Annotations/7.xml": _xml("7.jpg", dog, scene),
        "Annotations/8.xml": _xml("8.jpg"),
        "Sentences/7.txt": b"[/EN#283/animals A dog] runs in [/EN#284/scene the snow] .\n",
        "Sentences/8.txt": b"Nothing .\n",
    }
    return Sample("flickr30k", ".", "photos", files | _pictures("photos"))


def _table() -> Sample:
    rows = (
        b"image,width,height,category,x1,y1,x2,y2,crowd,description\n"
        b"7.jpg,40,30,dog,4,6,24,21,0,the dog\n8.jpg,40,30,,,,,,,\n"
    )
    return Sample("table", "t.csv", "photos", {"t.csv": rows} | _pictures("photos"))


def _datasets() -> Sample:
    objects = pa.struct(
        {"bbox": pa.list_(pa.list_(pa.float64())), "category": pa.list_(pa.int64())}
    )
    picture = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    label = {"feature": {"names": ["cat", "dog"], "_type": "ClassLabel"}, "_type": "List"}
    about = {"info": {"features": {"objects": {"bbox": {}, "category": label}}}}
    sides = {"width": pa.int64(), "height": pa.int64()}
    schema = pa.schema(
        {"image": picture, **sides, "objects": objects}, {"huggingface": json.dumps(about)}
    )
    size = {"width": WIDTH, "height": HEIGHT}
    rows = [
        {
            "image": {"path": "7.jpg"},
            "objects": {"bbox": [[4, 6, 20, 15]], "category": [1]},
            **size,
        },
        {"image": {"path": "8.jpg"}, "objects": {"bbox": [], "category": []}, **size},
    ]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), out)
    return Sample(
        "datasets", "d.parquet", "photos", {"d.parquet": out.getvalue()} | _pictures("photos")
    )


def _built() -> Sample:
    with TemporaryDirectory() as place:
        folder = Path(place)
        annotations = _coco().write(folder)
        build_from_files(annotations, folder / "photos", folder / "data")
        made = {f"data/{file.name}": file.read_bytes() for file in (folder / "data").iterdir()}
    return Sample("built", "data", "photos", made | _pictures("photos"))


def _labelstudio() -> Sample:
    side = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    value = {"x": 10, "y": 20, "width": 50, "height": 50, "rotation": 0, "rectanglelabels": ["dog"]}
    region = {"id": "a", "type": "rectanglelabels", "value": value, **side}
    size = {"width": WIDTH, "height": HEIGHT}
    tasks = [
        {"id": n, "data": {"image": f"{n}.jpg", **size}, "annotations": [{"result": result}]}
        for n, result in ((7, [region]), (8, []))
    ]
    return Sample("labelstudio", "s.json", "photos", {"s.json": _json(tasks)} | _pictures("photos"))


def _cvat() -> Sample:
    label = "<label><name>{}</name></label>"
    size = f'width="{WIDTH}" height="{HEIGHT}"'
    box = '<box label="dog" xtl="4.0" ytl="6.0" xbr="24.0" ybr="21.0" occluded="0"/>'
    text = (
        '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta><task>'
        f"<labels>{label.format('cat')}{label.format('dog')}</labels></task></meta>"
        f'<image id="0" name="7.jpg" {size}>{box}</image>'
        f'<image id="1" name="8.jpg" {size}></image></annotations>'
    )
    return Sample("cvat", "a.xml", "photos", {"a.xml": text.encode()} | _pictures("photos"))


def _labelme() -> Sample:
    shape = {"label": "dog", "points": [[24, 21], [4, 6]], "shape_type": "rectangle"}
    files = {
        f"json/{n}.json": _json(
            {
                **{"version": "5.5.0", "shapes": shapes, "imagePath": f"../photos/{n}.jpg"},
                **{"imageWidth": WIDTH, "imageHeight": HEIGHT},
            }
        )
        for n, shapes in ((7, [shape]), (8, []))
    }
    return Sample("labelme", "json", "photos", files | _pictures("photos"))


def _via() -> Sample:
    rect = {"name": "rect", "x": 4, "y": 6, "width": 20, "height": 15}
    region = {"shape_attributes": rect, "region_attributes": {"class": "dog"}}
    tree = {
        f"{n}.jpg99": {"filename": f"{n}.jpg", "size": 99, "regions": regions}
        for n, regions in ((7, [region]), (8, []))
    }
    return Sample("via", "v.json", "photos", {"v.json": _json(tree)} | _pictures("photos"))


def _supervisely() -> Sample:
    points = {"exterior": [[4, 6], [23, 20]], "interior": []}  # both ends count
    dog = {"classTitle": "dog", "geometryType": "rectangle", "points": points, "tags": []}
    size = {"width": WIDTH, "height": HEIGHT}
    classes = [{"title": name, "shape": "rectangle"} for name in ("cat", "dog")]
    files = {
        "meta.json": _json({"classes": classes, "tags": []}),
        "ds0/ann/7.jpg.json": _json({"description": "", "size": size, "objects": [dog]}),
        "ds0/ann/8.jpg.json": _json({"description": "", "size": size, "objects": []}),
    }
    return Sample("supervisely", ".", ".", files | _pictures("ds0/img"))
