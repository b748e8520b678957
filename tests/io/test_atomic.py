import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.io.atomic import atomic_folder, atomic_write, is_scratch, part_path


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


def test_the_next_writer_takes_over_what_a_dead_one_left(tmp_path: Path) -> None:
    path = tmp_path / "out"
    part_path(path).write_text("half, and longer")
    (tmp_path / "out.part").write_text("a user's")
    with atomic_write(path) as file:
        file.write(b"new")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out", "out.part"]
    assert path.read_text() == "new"


def test_a_name_as_long_as_there_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 250 + ".json")
    with atomic_write(path) as file:
        file.write(b"new")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("moved", [False, True])
def test_what_dead_processes_left_of_a_folder(moved: bool, tmp_path: Path) -> None:
    """One that died between its two moves had put the older folder aside."""
    out = tmp_path / "out"
    code = (
        "import os, sys; from pathlib import Path\n"
        "from locvlm.io.atomic import atomic_folder\n"
        "out = Path(sys.argv[1])\n"
        "with atomic_folder(out) as folder:\n"
        "    (folder / 'half').touch()\n"
        "    if len(sys.argv) > 2: out.replace(folder.parent / 'old')\n"
        "    os.kill(os.getpid(), 9)"
    )
    out.mkdir()
    (out / "older").touch()
    subprocess.run([sys.executable, "-c", code, str(out), *["moved"] * moved], check=False)
    left = [each.name for each in tmp_path.iterdir() if each != out]
    assert len(left) == 1
    assert is_scratch(left[0])
    assert out.exists() != moved
    with pytest.raises(ValueError), atomic_folder(out):
        raise ValueError
    assert [each.name for each in tmp_path.iterdir()] == ["out"]
    assert [each.name for each in out.iterdir()] == ["older"]


def test_what_living_processes_fill_stays(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "out") as folder:
        name = folder.parent.name.replace("locvlm-", "locvlm-0", 1)  # of another computer
        (tmp_path / name).mkdir()
        with atomic_folder(tmp_path / "out") as other:
            (other / "first").touch()
        assert folder.exists()
        (folder / "last").touch()
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["last"]
    assert (tmp_path / name).exists()
