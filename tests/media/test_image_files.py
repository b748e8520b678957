from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.media.image_files import ImageFolder, find_images, header_or_none, safe_name


@pytest.mark.parametrize(
    "name", ["a.jpg", "train/a.jpg", "./a.jpg", "ü b.jpg", "..a.jpg", "a..jpg"]
)
def test_names_that_stay(name: str) -> None:
    assert safe_name(name, "") == name


@pytest.mark.parametrize(
    "name",
    ["", "/a.jpg", "//a.jpg", "../a.jpg", "a/../b.jpg", "..", "a\\b.jpg", "C:/a.jpg", "C:a", "a\0"],
)
def test_names_that_lead_away(name: str) -> None:
    with pytest.raises(InputError, match=r"^here: the file name .* stay in its folder"):
        safe_name(name, "here")


@given(st.text())
def test_a_name_never_leads_away(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = Path("/photos/mine")
    try:
        path = folder / safe_name(name, "")
    except InputError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert path.is_relative_to(folder)
        assert ".." not in path.parts


class TestFolder:
    def test_without_a_folder_all_is_there(self) -> None:
        drops = Counter[str]()
        assert find_images({1: ("a", "b")}, None, Path("x"), drops) == {1: "a"}
        assert not drops

    def test_nothing_asked_for(self, tmp_path: Path) -> None:
        assert find_images({}, tmp_path, Path("x"), Counter()) == {}

    def test_first_that_is_there(self, tmp_path: Path) -> None:
        (tmp_path / "b").touch()
        drops = Counter[str]()
        names = {1: ("a", "b"), 2: ("c",), 3: ("x" * 1000,)}
        assert find_images(names, tmp_path, Path("x"), drops) == {1: "b"}
        assert drops == {"pictures whose file is missing": 2}

    @pytest.mark.parametrize("given", ["voc", "voc/JPEGImages/a", "voc/Annotations"])
    def test_a_folder_nearby_that_has_them_is_named(self, tmp_path: Path, given: str) -> None:
        right = tmp_path / "voc/JPEGImages"
        (right / "a").mkdir(parents=True)
        (tmp_path / "voc/Annotations").mkdir()
        (right / "1.jpg").touch()
        with pytest.raises(InputError, match="has none of the 1 pictures of x") as refused:
            find_images({1: ("1.jpg",)}, tmp_path / given, Path("x"), Counter())
        told = f"relative to, such as {right}"
        assert str(refused.value).endswith(told) == (given != "voc/Annotations")

    def test_a_link_to_itself_is_missing(self, tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to(tmp_path / "a")
        assert ImageFolder(tmp_path, Counter()).find(("a",)) is None


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_what_is_no_picture_is_counted(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    drops = Counter[str]()
    assert header_or_none(path, drops) is None
    assert drops == {"pictures that cannot be read": 1}


def test_a_name_with_a_line_break() -> None:
    with pytest.raises(InputError, match=r"x: the file name 'a\\nb.png' has a line break; rename"):
        safe_name("a\nb.png", "x")
