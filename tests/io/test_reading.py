import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from locvlm.annotations.coco import read_coco
from locvlm.errors import InputError
from locvlm.io.reading import (
    csv_rows,
    files_below,
    is_file,
    is_folder,
    list_entries,
    name_of,
    parse_integer,
    parse_number,
    quote,
    read_bytes,
    read_chunks,
    text_lines,
)


def test_packed_and_plain_are_the_same(tmp_path: Path) -> None:
    tree = b'{"images": [], "annotations": [], "categories": [{"id": 1, "name": "dog"}]}'
    (tmp_path / "a.json").write_bytes(tree)
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(tree, mtime=0))
    plain, packed = (read_coco(tmp_path / name) for name in ("a.json", "a.json.gz"))
    assert plain.categories == packed.categories == ("dog",)


@pytest.mark.parametrize(
    "content", [b"no gzip", gzip.compress(b"0" * 999, mtime=0)[:-9], b"\x1f\x8b"]
)
def test_broken_gzip(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.json.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a complete gzip file"):
        read_bytes(path)


def test_empty_gzip_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(b"", mtime=0))
    assert read_bytes(path) == b""


@pytest.mark.parametrize("text", ["", None, "x", "nan", "inf", "-Infinity", "1e999", "1,5"])
def test_what_is_no_number(text: str | None) -> None:
    with pytest.raises(InputError, match="^here: .* number"):
        parse_number(text, "here")


@pytest.mark.parametrize("text", ["1.5", "1e300", "9223372036854775808", "nan", ""])
def test_what_is_no_whole_number(text: str) -> None:
    with pytest.raises(InputError, match="^here: .* number"):
        parse_integer(text, "here")


def test_numbers() -> None:
    assert parse_number(" -2.5e1 ", "") == -25
    assert parse_integer("3.0", "") == 3


def test_lines_need_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffä\n".encode())
    assert list(text_lines(path)) == ["ä\n"]
    path.write_bytes(b"a\n" * 9000 + b"\xe4\n")
    with pytest.raises(InputError, match=r"not UTF-8 text after line \d+"):
        list(text_lines(path))


class TestCsv:
    def rows(self, folder: Path, text: str, *needs: str) -> list[tuple[str, dict[str, str]]]:
        path = folder / "a.csv"
        path.write_text(text)
        return list(csv_rows(path, needs))

    def test_rows_with_their_lines(self, tmp_path: Path) -> None:
        rows = self.rows(tmp_path, 'a,b\n1,"x\ny"\n\n2,z\n', "a")
        assert [row for _, row in rows] == [{"a": "1", "b": "x\ny"}, {"a": "2", "b": "z"}]
        assert [place.rpartition(": ")[2] for place, _ in rows] == ["line 3", "line 5"]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "no column a"),
            ("b,c\n", "no column a"),
            ("a,b\n1\n", "line 2: does not have 2 columns"),
            ("a,b\n1,2,3\n", "line 2: does not have 2 columns"),
            ("a\n" + "x" * 200_000, "not CSV"),
        ],
    )
    def test_broken(self, text: str, said: str, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=said):
            self.rows(tmp_path, text, "a")


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_no_name(text: str) -> None:
    assert name_of(text, "here") == ""


@pytest.mark.parametrize("text", ["traffic light", " traffic  light\n"])
def test_a_name(text: str) -> None:
    assert name_of(text, "here") == "traffic light"


@pytest.mark.parametrize("text", ["dog\ncat", "dog\r\ncat", "dog\u2028cat"])
def test_a_name_of_two_lines(text: str) -> None:
    with pytest.raises(InputError, match="^here: the name .* has a line break") as caught:
        name_of(text, "here")
    assert len(str(caught.value).splitlines()) == 1


def test_shown_is_short_and_on_one_line() -> None:
    assert quote("a\nb") == r"'a\nb'"
    assert len(quote("x" * 1000)) < 70


class TestFolders:
    def test_nothing_there(self, tmp_path: Path) -> None:
        assert not is_file(tmp_path / "a")
        assert not is_folder(tmp_path / ("a" * 5000))
        assert not is_file(tmp_path / "a\0b")
        assert (
            list(list_entries(tmp_path))
            == list(list_entries(tmp_path / "a"))
            == files_below(tmp_path)
            == []
        )

    def test_entries_and_files(self, tmp_path: Path) -> None:
        (tmp_path / "b").mkdir()
        for name in ("b/2.txt", "b/1.xml", "a.xml"):
            (tmp_path / name).touch()
        assert [path.name for path in list_entries(tmp_path, "*.xml")] == ["a.xml"]
        assert {path.name for path in list_entries(tmp_path)} == {"a.xml", "b"}
        assert files_below(tmp_path) == [tmp_path / n for n in ("a.xml", "b/1.xml", "b/2.txt")]

    def test_a_folder_that_may_not_be_read_is_not_empty(
        self, tmp_path: Path, lock: Callable[[Path], None]
    ) -> None:
        folder = tmp_path / "b"
        folder.mkdir()
        lock(folder)
        assert is_folder(folder)
        calls: list[Callable[[], Any]] = [
            lambda: is_file(folder / "a"),
            lambda: is_folder(folder / "a"),
            lambda: list(list_entries(folder)),
            lambda: files_below(tmp_path),
        ]
        for call in calls:
            with pytest.raises(InputError, match=r"/b.*Permission denied"):
                call()


@pytest.mark.parametrize("name", ["none.json", "none.json.gz"])
def test_a_file_that_is_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{name}: cannot be read"):
        list(read_chunks(tmp_path / name))
