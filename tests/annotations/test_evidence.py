from pathlib import Path

import pytest

from locvlm.annotations import detect_format, names
from locvlm.errors import InputError


def refuse(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        detect_format(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"annotations": [{"caption": ""}]}'),
        ("a.json", ""),
        ("a.csv", ""),
        ("a.csv", "a,b\n"),
        ("a.csv", "x" * 200_000),
        ("a.txt", "anything"),
    ],
)
def test_unknown_files_list_the_names(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    message = refuse(tmp_path / name)
    assert ", ".join(names()) in message
    assert "nothing known" in message


@pytest.mark.parametrize("name", ["a.parquet", "data/train-0.parquet", "train/data-0.arrow"])
def test_a_folder_of_tables(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert detect_format(tmp_path)[0] == "datasets"


@pytest.mark.parametrize(
    "content", ['[{"objects": [{"names": ["dog"]}]}]', '[{"regions": [{"phrase": "a dog"}]}]']
)
def test_files_of_visual_genome(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    assert detect_format(tmp_path / "a.json")[0] == "visualgenome"


def test_an_empty_folder(tmp_path: Path) -> None:
    assert "nothing known in it" in refuse(tmp_path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name in ("a.json", "a.csv", "a", "a.yaml"):
        assert "No such file" in refuse(tmp_path / name)


def test_links_that_lead_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "links that lead in a circle" in refuse(tmp_path / "a")


def test_two_forms_in_one_folder(tmp_path: Path) -> None:
    (tmp_path / "a.xml").touch()
    (tmp_path / "data.yaml").touch()
    message = refuse(tmp_path)
    assert "voc (a folder with XML files) and yolo (a folder with data.yaml)" in message


def test_keys_far_into_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    key = '"neg_category_ids"'
    for far in ((1 << 20) - 5, (1 << 20) - len(key), 3 << 20):  # across the ends of what is read
        start = ' {"images": [], "annotations": [], "categories": [], "x": ["'
        path.write_text(start + "y" * (far - len(start)) + f'"], {key}: []}}')
        assert detect_format(path)[0] == "lvis"


def test_the_reason_is_in_words(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"images": [], "annotations": [], "categories": []}')
    assert detect_format(path) == ("coco", 'a JSON file with "images", as COCO has')
