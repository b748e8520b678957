"""Work in parts: every row once, in order, whatever was stopped in between."""

import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import pytest

from locvlm.errors import InputError
from locvlm.parallel.parts import run_in_parts


class Row(msgspec.Struct, frozen=True):
    number: int
    square: int


def square(log: Path, numbers: Sequence[int]) -> list[Row]:
    with log.open("a") as file:
        file.writelines(f"{number}\n" for number in numbers)
    return [Row(number, number * number) for number in numbers]


def refuse(log: Path, numbers: Sequence[int]) -> list[Row]:
    if 6 in numbers:
        raise InputError("six")
    return square(log, numbers)


def slow(log: Path, numbers: Sequence[int]) -> list[Row]:
    time.sleep(0.2)
    return square(log, numbers)


def work(function: object, count: int, folder: Path, **options: object) -> list[Row]:
    given = {
        "settings": {"model": "a"},
        "kind": Row,
        "doing": "Working",
        "batch_size": 3,
        **options,
    }
    return list(run_in_parts(function, range(count), folder, **given))  # type: ignore[arg-type]


WANTED = [Row(number, number * number) for number in range(10)]


@pytest.mark.parametrize("workers", [1, 2])
def test_all_rows_in_order(tmp_path: Path, workers: int) -> None:
    log = tmp_path / "log"
    assert work(partial(square, log), 10, tmp_path / "parts", workers=workers) == WANTED
    assert sorted(map(int, log.read_text().split())) == list(range(10))


def test_nothing_to_do(tmp_path: Path) -> None:
    assert work(partial(square, tmp_path / "log"), 0, tmp_path / "parts") == []


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    log, parts = tmp_path / "log", tmp_path / "parts"
    with pytest.raises(InputError, match="six"):
        work(partial(refuse, log), 10, parts)
    assert work(partial(square, log), 10, parts) == WANTED
    assert sorted(map(int, log.read_text().split())) == list(range(10))


class Opened(msgspec.Struct, frozen=True):
    number: int
    error: str = ""


def opened(mended: Path, log: Path, numbers: Sequence[int]) -> list[Opened]:
    square(log, numbers)
    broken = not mended.exists()
    return [Opened(number, "broken" if number == 4 and broken else "") for number in numbers]


def test_what_could_not_be_read_is_tried_again(tmp_path: Path) -> None:
    mended, log, folder = (tmp_path / name for name in ("mended", "log", "parts"))
    function = partial(opened, mended, log)
    first = work(function, 9, folder, kind=Opened)
    assert [row.number for row in first if row.error] == [4]
    mended.touch()
    second = work(function, 9, folder, kind=Opened)
    assert not any(row.error for row in second)
    counts = log.read_text().split()
    assert [counts.count(str(number)) for number in range(9)] == [1, 1, 1, 1, 2, 1, 1, 1, 1]


def test_of_other_work(tmp_path: Path) -> None:
    function, parts = partial(square, tmp_path / "log"), tmp_path / "parts"
    work(function, 4, parts)
    with pytest.raises(InputError, match="unfinished work with model 'a', not 'b'"):
        work(function, 4, parts, settings={"model": "b"})
    with pytest.raises(InputError, match="unfinished work with other pictures or boxes"):
        work(function, 5, parts)
    (parts / "settings.json").write_text("[]")
    with pytest.raises(InputError, match="the settings of unfinished work"):
        work(function, 4, parts)


def test_a_mistake_that_nothing_came_of_binds_nobody(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    with pytest.raises(InputError, match="workers"):
        work(partial(square, tmp_path / "log"), 10, parts, workers=0, settings={"model": "b"})
    with pytest.raises(InputError, match="six"):
        work(partial(refuse, tmp_path / "log"), 7, parts, batch_size=7)
    assert not parts.exists()
    assert work(partial(square, tmp_path / "log"), 10, parts) == WANTED


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        work(partial(square, tmp_path / "log"), 4, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_killed_run_loses_at_most_its_last_batch(tmp_path: Path) -> None:
    log, parts = tmp_path / "log", tmp_path / "parts"
    code = (
        "from tests.parallel.test_parts import *\n"
        f"work(partial(slow, Path({str(log)!r})), 10, Path({str(parts)!r}))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    while not list(parts.glob("0*.jsonl")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert work(partial(square, log), 10, parts) == WANTED
    done = log.read_text().split()
    assert 10 <= len(done) <= 13  # the batch under way, once more
