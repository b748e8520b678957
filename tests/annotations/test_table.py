import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations import detect_format
from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.annotations.drops import examples_of
from locvlm.annotations.table import read_table
from locvlm.errors import InputError
from locvlm.geometry import Box

HEAD = "image,width,height,category,x1,y1,x2,y2"
FULL = f"{HEAD},crowd,description"
NAMES = FULL.split(",")


def csv(folder: Path, *rows: str, head: str = HEAD) -> Path:
    path = folder / "t.csv"
    path.write_text("\n".join([head, *rows]), encoding="utf-8")
    return path


def jsonl(folder: Path, *rows: object) -> Path:
    path = folder / "t.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def refuse(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_table(path)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_nothing(tmp_path: Path) -> None:
    for path in (csv(tmp_path), jsonl(tmp_path)):
        data = read_table(path)
        assert (data.images, data.categories, data.drops) == ((), (), {})


def test_one_of_everything(tmp_path: Path) -> None:
    rows = ("a.jpg,9,8,dog,1,2,3.5,4,1,a dog", "b.jpg,9,9,,,,,,,", "a.jpg,9,8,cat,0,0,9,8,,")
    data = read_table(csv(tmp_path, *rows, head=FULL))
    dog = Object("dog", Box(1, 2, 3.5, 4), crowd=True, id=1, descriptions=("a dog",))
    cat = Object("cat", Box(0, 0, 9, 8), id=3)
    assert data.images == (
        AnnotatedImage("a.jpg", "a.jpg", 9, 8, (dog, cat)),
        AnnotatedImage("b.jpg", "b.jpg", 9, 9),
    )
    assert data.categories == ("dog", "cat")
    assert data.images[1].absent_of(data.categories) == ["dog", "cat"]
    assert not data.drops


EDGE = st.floats(0, 50).map(lambda x: round(x, 3))
ROW = st.tuples(
    st.sampled_from(["a.jpg", "b/ü.jpg"]),
    st.sampled_from(["dog", "", "stop sign", 'a "b", c']),
    st.lists(EDGE, min_size=4, max_size=4),
    st.booleans(),
    st.sampled_from(["", "the left one", "x, y"]),
)


@given(st.lists(ROW, max_size=8))
def test_csv_and_json_lines_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, list[float], bool, str]]
) -> None:
    import csv as writer

    folder = tmp_path_factory.mktemp("table")
    flat = [[name, 50, 50, what, *box, int(crowd), text] for name, what, box, crowd, text in rows]
    with (folder / "t.csv").open("w", newline="", encoding="utf-8") as file:
        writer.writer(file).writerows([NAMES, *flat])
    lines = jsonl(folder, *(dict(zip(NAMES, row, strict=True)) for row in flat))
    a, b = read_table(folder / "t.csv"), read_table(lines)
    assert (a.images, a.categories, a.drops) == (b.images, b.categories, b.drops)


def test_columns_in_any_order_and_more(tmp_path: Path) -> None:
    head = "note,y2,x2,y1,x1,category,height,width,image"
    data = read_table(csv(tmp_path, "?,4,3,2,1,dog,9,9,a.jpg", head=head))
    assert data.images[0].objects[0].box == Box(1, 2, 3, 4)


def test_what_is_counted(tmp_path: Path) -> None:
    rows = ("a,9,9,dog,1,1,1,2,0,", "a,9,9,dog,9,9,10,10,0,", "a,9,9,dog,0,0,10,9,0,{x}")
    assert read_table(csv(tmp_path, *rows, head=FULL)).drops == {
        "boxes without area": 1,
        "boxes outside the picture": 1,
        "boxes clipped to the picture": 1,
        "descriptions that have braces": 1,
    }


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a,9,9,dog,1,1,2", "line 2: does not have 8 columns"),
        ("a,9,9,dog,1,1,2,", "line 2: 'dog' has no x1, y1, x2, y2"),
        ("a,9,9,dog,1,1,2,x", "line 2, y2: 'x' is not a number"),
        ("a,9,9,dog,1,1,2,nan", "line 2, y2: 'nan' is not a finite number"),
        ("a,0,9,dog,1,1,2,2", "line 2 is 0 × 9 pixels"),
        ("a,9.5,9,dog,1,1,2,2", "line 2, width: '9.5' is not a whole number"),
        ("a,99999999999,9,,,,,", "line 2 is 99999999999 × 9 pixels"),
        ("../a,9,9,,,,,", "line 2, image: the file name '../a' does not stay"),
        ("a,9,9,,,,,\na,9,8,,,,,", "line 3: 'a' is 9 × 8 pixels here and 9 × 9 before"),
    ],
)
def test_broken_rows_name_their_line(row: str, said: str, tmp_path: Path) -> None:
    assert said in refuse(csv(tmp_path, row))


def test_crowd_is_yes_or_no(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,9,9,dog,1,1,2,2,maybe,", head=FULL)
    assert "line 2, crowd: 'maybe' is neither 0 nor 1" in refuse(path)


def test_missing_columns(tmp_path: Path) -> None:
    assert "has no column x2, y2; it needs: image, category" in refuse(
        csv(tmp_path, head=HEAD[:-6])
    )


@pytest.mark.parametrize("row", [[], 3, {"image": "a"}, {"image": 1, "width": 2, "height": 3}])
def test_broken_json_lines(row: object, tmp_path: Path) -> None:
    good = {"image": "a", "width": 9, "height": 9}
    assert "t.jsonl: line 2: not a row of the table" in refuse(jsonl(tmp_path, good, row))


def test_empty_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('\n{"image": "a.jpg", "width": 9, "height": 9}\n\n{}')
    assert "t.jsonl: line 4: not a row" in refuse(path)


def test_text_for_training_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"image": "a.jpg", "prefix": "detect dog", "suffix": "<loc0001>"}\n')
    with pytest.raises(InputError, match=r"it is text \(prefix, suffix\), which locvlm import"):
        read_table(path)


@pytest.mark.parametrize(
    "head",
    [
        "filename,width,height,class,xmin,ymin,xmax,ymax",
        "Image_Path,width,height,Label,x_min,y_min,x_max,y_max",
        "image,image_width,image_height,class_name,x1,y1,x2,y2",
    ],
)
def test_columns_of_other_tools(tmp_path: Path, head: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{head}\n7.jpg,40,30,dog,4,6,24,21\n")
    assert detect_format(path)[0] == "table"
    [image] = read_table(path).images
    assert (image.file_name, image.width, image.height) == ("7.jpg", 40, 30)
    assert image.objects == (Object("dog", Box(4, 6, 24, 21), id=1),)


def test_sizes_of_the_files(tmp_path: Path, jpeg: Callable[..., bytes]) -> None:
    (tmp_path / "7.jpg").write_bytes(jpeg())  # 40 × 30
    path = tmp_path / "t.csv"
    path.write_text("path,x1,y1,x2,y2,class\n7.jpg,4,6,24,21,dog\n8.jpg,1,2,3,4,cat\n")
    with pytest.raises(InputError, match="has no columns width and height"):
        read_table(path)
    data = read_table(path, images=tmp_path)
    assert [(image.width, image.height) for image in data.images] == [(40, 30)]
    assert data.drops == {"pictures whose file is missing": 1}


def test_an_example_is_one_line(tmp_path: Path) -> None:
    name = "7.\u2028jpg"
    data = read_table(csv(tmp_path, f"{name},9,9,dog,1,1,1,1", f"{name},9,9,dog,2,2,20,3"))
    assert all(len(text.splitlines()) == 1 for text in examples_of(data.drops).values())
    (tmp_path / "8.jpg").touch()
    rows = [f"{name},9,9,dog,1,1,2,2", "8.jpg,9,9,dog,1,1,2,2"]
    data = read_table(csv(tmp_path, *rows), images=tmp_path)
    [example] = examples_of(data.drops).values()
    assert len(example.splitlines()) == 1
