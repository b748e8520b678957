"""Names as other tools write them: found where exactly one file fits, never outside the folder."""

import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.media.file_names import FileNames, SeveralFit
from locvlm.media.image_files import ImageFolder, check_name, find_images


def folder_of(tmp_path: Path, *names: str) -> Path:
    folder = tmp_path / "set" / "images"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("name", "file", "how"),
    [
        ("train\\a.jpg", "train/a.jpg", "with \\ for /"),
        ("images/b.jpg", "b.jpg", "begin with the name of the folder"),
        ("images\\b.jpg", "b.jpg", "with \\ for / and that begin"),
        ("set/images/b.jpg", "b.jpg", "begin with the name of the folder"),
        ("../images/b.jpg", "b.jpg", "of another place, taken by"),
        ("..\\..\\set\\images\\train\\a.jpg", "train/a.jpg", "of another place, taken by"),
        ("../../label-studio/media/upload/1/4f2a1b3c-b.jpg", "b.jpg", "a prefix of Label Studio"),
        ("C:\\Users\\ann\\images\\b.jpg", "b.jpg", "of another place, taken by"),
        (
            "/home/ann/my set/train/a.jpg",
            "train/a.jpg",
            "of another place, taken by",
        ),
        ("HERE/train/a.jpg", "train/a.jpg", "absolute, inside the folder"),
        ("http://localhost:8080/data/upload/3/b.jpg", "b.jpg", "URLs"),
        ("/data/upload/3/b.jpg", "b.jpg", "of another place"),
        ("/data/local-files/?d=my%20set/train/a.jpg", "train/a.jpg", "URLs"),
        ("s3://bucket/set/train/a.jpg?X-Amz-Date=1", "train/a.jpg", "URLs"),
        ("file:///home/ann/b.jpg", "b.jpg", "URLs"),
        ("caf%C3%A9%201.jpg", "café 1.jpg", "quoted as in a URL"),
        (unicodedata.normalize("NFD", "café 1.jpg"), "café 1.jpg", "another Unicode form"),
        ("B.JPG", "b.jpg", "in other case"),
        ("b.JPG", "b.jpg", "in other case"),
        ("b.png", "b.jpg", "with another ending"),
        ("b", "b.jpg", "with another ending"),
        ("/data/upload/3/4f2a1b3c-b.jpg", "b.jpg", "with a prefix of Label Studio"),
        ("on disk.jpg", "on%20disk.jpg", "quoted as in a URL"),
    ],
)
def test_found(name: str, file: str, how: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "b.jpg", "train/a.jpg", "café 1.jpg", "on%20disk.jpg")
    drops = Counter[str]()
    name = check_name(name.replace("HERE", str(folder)), "here")
    assert find_images({1: (name,)}, folder, Path("x"), drops) == {1: file}
    [(reason, count)] = drops.items()
    assert count == 1
    assert how in reason


@pytest.mark.parametrize(
    "name",
    [
        "val/a.jpg",  # another folder: perhaps another picture
        "/set/val/a.jpg",  # another split
        "c.jpg",
        "/x/b.jpg/c.jpg",
        "%2e%2e/outside.jpg",
        "/outside.jpg",
        "../set/outside.jpg",
        "../../etc/passwd",
        "file:///../outside.jpg",
        "http://[",
    ],
)
def test_not_found(name: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "train/a.jpg", "b.jpg")
    (tmp_path / "set" / "outside.jpg").touch()
    assert ImageFolder(folder, Counter()).find((name,)) is None
    split = folder_of(tmp_path / "other" / "train", "a.jpg")
    assert ImageFolder(split, Counter()).find((name,)) == ("a.jpg" if name == "a" else None)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("/x/train/a.jpg", ("a.jpg", "train/a.jpg")),
        ("a.bmp", ("a.jpg", "a.png")),
        ("A.jpg", ("a.jpg", "a.JPG")),
    ],
)
def test_several_files_fit(name: str, files: tuple[str, ...], tmp_path: Path) -> None:
    folder = folder_of(tmp_path, *files)
    with pytest.raises(SeveralFit):
        FileNames(folder).find(name)
    drops = Counter[str]()
    assert ImageFolder(folder, drops).find((name,)) is None
    assert drops["names that several pictures fit"] == 1


def test_two_names_of_one_file(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "1.jpg")
    names = {1: ("/x/a/1.jpg",), 2: ("/x/b/1.jpg",)}
    with pytest.raises(InputError, match="both mean the file '1.jpg'"):
        find_images(names, folder, Path("x"), Counter())
    with pytest.raises(InputError, match="both mean"):
        find_images({1: ("1.jpg",), 2: ("images\\1.jpg",)}, folder, Path("x"), Counter())


def test_another_ending_takes_no_picture_from_its_name(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "1.jpg")
    drops = Counter[str]()
    found = find_images({1: ("1.png",), 2: ("1.jpg",)}, folder, Path("x"), drops)
    assert found == {2: "1.jpg"}
    assert drops == {"pictures whose file is missing": 1}


def test_the_order_is_kept(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "1.jpg", "2.jpg")
    found = find_images({1: ("1.JPG",), 2: ("2.jpg",)}, folder, Path("x"), Counter())
    assert list(found.items()) == [(1, "1.jpg"), (2, "2.jpg")]


def test_names_are_relative_where_nobody_looks() -> None:
    assert find_images({1: ("a\\b.jpg",)}, None, Path("x"), Counter()) == {1: "a/b.jpg"}
    with pytest.raises(InputError, match="is absolute; give the folder of the pictures"):
        find_images({1: ("/a/b.jpg",)}, None, Path("x"), Counter())


@pytest.mark.parametrize("name", ["", "..", "../a.jpg", "a\\..\\..\\b.jpg", "a\0", "a\n", "/", "."])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"does not stay in its folder|has a line break"):
        check_name(name, "here")


@given(st.text(st.sampled_from("ab./\\%2eEC:?d=-0u"), min_size=1))
def test_a_file_is_always_inside(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "inside" / "a"
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("b", "b.b", "ab"):
        (folder / file).touch()
        (folder.parent / file).touch()
    try:
        found = ImageFolder(folder, Counter()).find((check_name(name, "here"),))
    except InputError:
        return
    assert found is None or found in ("b", "b.b", "ab", "./b", "./ab") or (folder / found).is_file()
    assert found is None or (".." not in found.split("/") and found[0] != "/")
