import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from locvlm import annotations
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.datasets import read_datasets
from locvlm.errors import InputError
from locvlm.geometry import Box

LABELS = {"category": {"feature": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}


def row(name: str = "a.jpg", **more: Any) -> dict[str, Any]:
    objects = {"bbox": [[1, 2, 3, 4]], "category": [1]}
    return {"image_path": name, "width": 9, "height": 9, "objects": objects} | more


def table(rows: list[dict[str, Any]], labels: Any = LABELS) -> pa.Table:
    made = pa.Table.from_pylist(rows)
    about = {"info": {"features": {"objects": labels}}}
    return made.replace_schema_metadata({"huggingface": json.dumps(about)} if labels else None)


def read(folder: Path, *rows: dict[str, Any], labels: Any = LABELS, **more: Any) -> AnnotationSet:
    path = folder / "a.parquet"
    pq.write_table(table(list(rows), labels), path)
    return read_datasets(path, **more)


def refuse(folder: Path, *rows: dict[str, Any], **more: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, *rows, **more)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def seen(data: AnnotationSet) -> list[tuple[str, Box]]:
    return [(item.category, item.box) for image in data.images for item in image.objects]


DOG = ("dog", Box(1, 2, 4, 6))


def test_numbered_categories(tmp_path: Path) -> None:
    data = read(tmp_path, row())
    assert seen(data) == [DOG]
    assert data.categories == ("cat", "dog")
    assert data.images[0].absent_of(data.categories) == ["cat"]
    assert not data.drops


def test_named_categories(tmp_path: Path) -> None:
    data = read(tmp_path, row(objects={"bbox": [[1, 2, 3, 4]], "category": ["dog"]}), labels=None)
    assert seen(data) == [DOG]
    assert data.categories == ("dog",)


def test_a_list_of_objects(tmp_path: Path) -> None:
    assert seen(read(tmp_path, row(objects=[{"bbox": [1, 2, 3, 4], "category": 1}]))) == [DOG]


@pytest.mark.parametrize("column", ["image", "file_name"])
def test_other_columns_for_the_file(column: str, tmp_path: Path) -> None:
    item = row()
    item[column] = item.pop("image_path")
    assert read(tmp_path, item).images[0].file_name == "a.jpg"


def test_pixels_inside_the_table_are_not_read(tmp_path: Path) -> None:
    item = row()
    del item["image_path"]
    item["image"] = {"bytes": b"no picture", "path": "b.jpg"}
    assert read(tmp_path, item).images[0].file_name == "b.jpg"


def test_pictures_inside_the_table_without_a_path(
    tmp_path: Path, jpeg: Callable[..., bytes]
) -> None:
    items = [row(), row()]
    for item in items:
        del item["image_path"]
        item["image"] = {"bytes": jpeg(), "path": None}
    assert [image.file_name for image in read(tmp_path, *items).images] == ["0.jpg", "1.jpg"]
    (tmp_path / "a.parquet").rename(tmp_path / "train.parquet")
    (tmp_path / "train-1.png").write_bytes(jpeg())
    data = read_datasets(tmp_path / "train.parquet", images=tmp_path)
    assert [image.file_name for image in data.images] == ["train-1.png"]
    assert data.drops == {"pictures whose file is missing": 1}


def test_sizes_of_the_files(tmp_path: Path, jpeg: Callable[..., bytes]) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(6))
    item = {name: value for name, value in row().items() if name not in ("width", "height")}
    [image] = read(tmp_path, item, images=tmp_path).images
    assert (image.width, image.height) == (30, 40)
    assert "row 0: has no width and height" in refuse(tmp_path, item)


def test_what_is_counted(tmp_path: Path) -> None:
    objects = {"bbox": [[1, 2, 3, 4], [0, 0, 0, 1]], "category": [-1, 0]}
    assert read(tmp_path, row(objects=objects), row()).drops == {
        "objects without a category": 1,
        "boxes without area": 1,
        "rows of a picture that another row has": 1,
    }


def test_what_is_left_out_is_not_absent(tmp_path: Path) -> None:
    data = read(tmp_path, row(objects={"bbox": [[1, 2, 0, 4]], "category": [1]}))
    assert data.images[0].absent_of(data.categories) == ["cat"]


def test_splits_by_file_name(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for split in ("train", "test"):
        path = tmp_path / "data" / f"{split}-00000-of-00001.parquet"
        pq.write_table(table([row(f"{split}.jpg")]), path)
    assert len(read_datasets(tmp_path, split="all").images) == 2
    assert [image.id for image in read_datasets(tmp_path).images] == ["train.jpg"]
    assert read_datasets(tmp_path).splits == ("test", "train")
    assert [image.id for image in read_datasets(tmp_path, split="test").images] == ["test.jpg"]
    with pytest.raises(InputError, match="has no split 'val'; it has: 'test, train'"):
        read_datasets(tmp_path, split="val")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train-00000-of-00001", "train"),
        ("minival-00000-of-00001", "minival"),
        ("validation", "val"),
        ("default/test/0000", "test"),
        ("minival/data-00000-of-00001", "minival"),
        ("data/0000", ""),
        ("a", ""),
        ("data-00000-of-00001", ""),
    ],
)
def test_names_of_splits(name: str, split: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table([row()]), path)
    data = read_datasets(tmp_path)
    assert len(data.images) == 1
    assert (data.splits, data.options) == ((split,) if split else (), {"split": split or "all"})


def test_files_of_no_split_are_counted(tmp_path: Path) -> None:
    for name in ("train", "more"):
        pq.write_table(table([row(f"{name}.jpg")]), tmp_path / f"{name}.parquet")
    data = read_datasets(tmp_path)
    assert [image.id for image in data.images] == ["train.jpg"]
    assert data.drops == {"files of a table that belong to no split": 1}


def test_a_saved_folder(tmp_path: Path) -> None:
    made = table([row()])
    (tmp_path / "train").mkdir()
    for name in ("data-00000-of-00001.arrow", "cache-1.arrow"):
        with pa.ipc.new_stream(tmp_path / "train" / name, made.schema) as stream:
            stream.write_table(made)
    data = read_datasets(tmp_path, split="train")
    assert seen(data) == [DOG]
    assert not data.drops


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (row("../a.jpg"), "row 0: the file name '../a.jpg' does not stay"),
        (row(None), "row 0: its picture has no file name"),  # type: ignore[arg-type]
        (row(width=-1), "row 0 is -1 × 9 pixels"),
        (row(objects={"bbox": [[1, 2, 3]], "category": [1]}), "bbox [1, 2, 3] is not 4 numbers"),
        (row(objects={"bbox": [[1, 2, 3, None]], "category": [1]}), "is not 4 numbers"),
        (row(objects={"bbox": [[1, 2, 3, float("nan")]], "category": [1]}), "not finite"),
        (row(objects={"bbox": [], "category": [1]}), "0 boxes and 1 categories"),
        (row(objects={"bbox": [[1, 2, 3, 4]], "category": [2]}), "2 is neither a name nor one"),
        (row(objects={"bbox": [[1, 2, 3, 4]], "category": [1.5]}), "1.5 is neither"),
        (row(objects=3), "objects are not bbox and category"),
    ],
)
def test_broken_rows_are_named(item: dict[str, Any], said: str, tmp_path: Path) -> None:
    assert said in refuse(tmp_path, item)


def test_numbers_without_names(tmp_path: Path) -> None:
    assert "one of the 0 of the table's ClassLabel" in refuse(tmp_path, row(), labels=None)


def test_names_that_are_none(tmp_path: Path) -> None:
    labels = {"category": {"names": [1, 2]}}
    assert "no list of names" in refuse(tmp_path, row(), labels=labels)


def test_missing_columns(tmp_path: Path) -> None:
    message = refuse(tmp_path, {"a": 1})
    assert "has no column image or image_path, objects; it has: 'a'" in message


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_no_table(suffix: str, tmp_path: Path) -> None:
    for content in (b"", b"PAR1", b"no table at all" * 99):
        path = tmp_path / f"a.{suffix}"
        path.write_bytes(content)
        with pytest.raises(InputError, match="cannot be read as a table after row 0"):
            read_datasets(path)


def test_no_table_in_the_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no .parquet or .arrow files in it"):
        read_datasets(tmp_path)


def test_an_arrow_file_cut_anywhere(tmp_path: Path) -> None:
    made = table([row()])
    out = io.BytesIO()
    with pa.ipc.new_stream(out, made.schema) as stream:
        stream.write_table(made)
    whole = out.getvalue()
    path = tmp_path / "a.arrow"
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        try:
            assert seen(read_datasets(path)) in ([], [DOG])
        except InputError as error:
            assert len(str(error).splitlines()) == 1


def test_no_objects(tmp_path: Path) -> None:
    data = read(tmp_path, row(), row("b.jpg", objects=None))
    assert [len(image.objects) for image in data.images] == [1, 0]


@pytest.mark.parametrize(
    "labels", [{"category": "dog"}, {"category": {"names": [1]}}, {"names": []}]
)
def test_class_labels_of_another_form(labels: Any, tmp_path: Path) -> None:
    message = refuse(tmp_path, row(), labels=labels)
    assert "no list of names" in message or "of the table's ClassLabel" in message


@pytest.mark.parametrize("metadata", [b"", b"{", b"\xff", b"[" * 100_000])
def test_metadata_that_are_no_json(metadata: bytes, tmp_path: Path) -> None:
    made = table([row()]).replace_schema_metadata({"huggingface": metadata})
    pq.write_table(made, tmp_path / "a.parquet")
    with pytest.raises(InputError, match="metadata under huggingface are no JSON"):
        read_datasets(tmp_path / "a.parquet")


@pytest.mark.parametrize("boxes", ["bbox", "bboxes", "boxes", "box"])
@pytest.mark.parametrize(
    "categories", ["category", "categories", "label", "labels", "class", "class_label"]
)
def test_other_words_for_box_and_category(boxes: str, categories: str, tmp_path: Path) -> None:
    labels = {categories: LABELS["category"]}
    item = row(objects={boxes: [[1, 2, 3, 4]], categories: [1]})
    assert seen(read(tmp_path, item, labels=labels)) == [DOG]
    item = row(objects=[{boxes: [1, 2, 3, 4], categories: 1}])
    assert seen(read(tmp_path, item, labels=labels)) == [DOG]


def test_a_name_before_its_number(tmp_path: Path) -> None:
    objects = {"bbox": [[1, 2, 3, 4]], "category_id": [7], "category_name": ["dog"]}
    assert seen(read(tmp_path, row(objects=objects), labels=None)) == [DOG]


class TestCorners:
    def test_numbers_that_prove_corners(self, tmp_path: Path) -> None:
        objects = {"bbox": [[1, 2, 4, 6], [5, 5, 8, 9]], "category": [1, 0]}
        data = read(tmp_path, row(objects=objects))
        assert seen(data) == [DOG, ("cat", Box(5, 5, 8, 9))]
        assert data.drops == {"boxes read as x1, y1, x2, y2, as their numbers prove": 2}

    def test_numbers_that_may_be_both_are_width_and_height(self, tmp_path: Path) -> None:
        objects = {"bbox": [[1, 2, 4, 6]], "category": [1]}
        assert seen(read(tmp_path, row(objects=objects))) == [("dog", Box(1, 2, 5, 8))]

    def test_a_box_that_reaches_out_among_others(self, tmp_path: Path) -> None:
        objects = {"bbox": [[5, 5, 8, 9], [5, 5, 2, 2]], "category": [1, 1]}
        data = read(tmp_path, row(objects=objects))
        assert seen(data) == [("dog", Box(5, 5, 9, 9)), ("dog", Box(5, 5, 7, 7))]
        assert data.drops == {"boxes clipped to the picture": 1}

    @pytest.mark.parametrize("keys", [("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2")])
    def test_names_that_say_it(self, keys: tuple[str, ...], tmp_path: Path) -> None:
        bbox = dict(zip(keys, (1, 2, 4, 6), strict=True))
        assert seen(read(tmp_path, row(objects={"bbox": [bbox], "category": [1]}))) == [DOG]

    def test_width_and_height_by_name(self, tmp_path: Path) -> None:
        bbox = {"x": 1, "y": 2, "width": 3, "height": 4}
        assert seen(read(tmp_path, row(objects={"bbox": [bbox], "category": [1]}))) == [DOG]


def test_names_of_a_list_beside_a_table(tmp_path: Path) -> None:
    objects = {"bbox": [[4.0, 6.0, 20.0, 15.0]], "category": [1]}
    columns = {"image_path": ["7.jpg"], "width": [40], "height": [30], "objects": [objects]}
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(InputError, match=r"one a line, into classes\.txt beside the table"):
        read_datasets(path)
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    [image] = read_datasets(path).images
    assert [item.category for item in image.objects] == ["dog"]


class TestImageFolder:
    line = '{"file_name": "%s", "objects": {"bbox": [[1, 2, 3, 4]], "categories": [%s]}}\n'

    def write(self, folder: Path, jpeg: Callable[..., bytes], category: str = '"dog"') -> None:
        folder.mkdir(exist_ok=True)
        (folder / "a.jpg").write_bytes(jpeg())
        (folder / "metadata.jsonl").write_text(self.line % ("a.jpg", category))

    def test_file_and_folder(self, tmp_path: Path, jpeg: Callable[..., bytes]) -> None:
        self.write(tmp_path, jpeg)
        for path in (tmp_path, tmp_path / "metadata.jsonl"):
            assert annotations.detect_format(path)[0] == "datasets"
            data = read_datasets(path, images=tmp_path)
            assert seen(data) == [DOG]
            assert data.images[0].width == 40

    def test_csv(self, tmp_path: Path, jpeg: Callable[..., bytes]) -> None:
        self.write(tmp_path, jpeg)
        (tmp_path / "metadata.jsonl").unlink()
        objects = '"{""bbox"": [[1, 2, 3, 4]], ""categories"": [""dog""]}"'
        file = tmp_path / "metadata.csv"
        file.write_text(f"file_name,width,objects\na.jpg,,{objects}\n")
        for path in (tmp_path, file):
            assert annotations.detect_format(path)[0] == "datasets"
            assert seen(read_datasets(path, images=tmp_path)) == [DOG]
        file.write_text("file_name,objects\na.jpg,\"{'bbox': []}\"\n")
        with pytest.raises(InputError, match=r"line 2, objects: not a row"):
            read_datasets(file, images=tmp_path)
        file.write_text("file_name,text\na.jpg,a dog\n")
        with pytest.raises(InputError, match="has no objects with bbox and category"):
            read_datasets(file, images=tmp_path)

    def test_numbers_are_names_where_there_are_no_others(
        self, tmp_path: Path, jpeg: Callable[..., bytes]
    ) -> None:
        self.write(tmp_path, jpeg, "3")
        data = read_datasets(tmp_path, images=tmp_path)
        assert data.categories == ("category 3",)
        assert data.drops == {"categories with a number for a name": 1}

    def test_names_of_a_list_beside(self, tmp_path: Path, jpeg: Callable[..., bytes]) -> None:
        self.write(tmp_path, jpeg, "1")
        (tmp_path / "classes.txt").write_text("cat\ndog\n")
        data = read_datasets(tmp_path / "metadata.jsonl", images=tmp_path)
        assert seen(data) == [DOG]
        assert data.categories == ("cat", "dog")
        assert not data.drops

    def test_splits_are_folders(self, tmp_path: Path, jpeg: Callable[..., bytes]) -> None:
        self.write(tmp_path / "train", jpeg)
        self.write(tmp_path / "test", jpeg)
        assert annotations.detect_format(tmp_path)[0] == "datasets"
        data = read_datasets(tmp_path, images=tmp_path)
        assert [image.file_name for image in data.images] == ["train/a.jpg"]
        assert data.splits == ("test", "train")

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("[]", "line 1: not a row"),
            ("{", "line 1: not a row"),
            ('{"file_name": "a.jpg"}', "has no objects with bbox"),
            ('{"objects": {}}', "its picture has no file name"),
            ('{"file_name": "../a.jpg", "objects": {}}', "does not stay in its folder"),
        ],
    )
    def test_broken_lines(self, line: str, said: str, tmp_path: Path) -> None:
        (tmp_path / "metadata.jsonl").write_text(line)
        with pytest.raises(InputError) as caught:
            read_datasets(tmp_path / "metadata.jsonl", images=tmp_path)
        assert said in str(caught.value)
