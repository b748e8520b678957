import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.io.atomic import atomic_folder, atomic_write


def test_a_file_is_replaced_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("older")
    with atomic_write(path) as file:
        file.write(b"new")
        assert path.read_text() == "older"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there(error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("older")
    with pytest.raises(error), atomic_write(path) as file:
        file.write(b"half")
        raise error
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no/out: cannot be written"):
        with atomic_write(tmp_path / "no" / "out"):
            pass


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="out: cannot be written"):
        with atomic_write(tmp_path / "out"):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_of_a_link_the_file_behind_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "file")
    with atomic_write(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "deep" / "file").read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["file"]


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as pool:
        said = pool.submit(path.read_bytes)
        with atomic_write(path) as file:
            file.write(b"through")
        assert said.result(timeout=30) == b"through"
    assert path.is_fifo()


def test_a_folder_is_replaced_once_it_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    for text in ("older", "new"):
        with atomic_folder(out) as folder:
            (folder / text).touch()
            assert not (out / text).exists()
        assert [path.name for path in out.iterdir()] == [text]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_folder(error: type[BaseException], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "older").touch()
    with pytest.raises(error), atomic_folder(tmp_path / "out") as folder:
        (folder / "half").touch()
        raise error
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["older"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
