"""Every batch once, with its place, whoever does it and whoever is done first."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from locvlm.errors import InputError
from locvlm.parallel import workers as module
from locvlm.parallel.workers import Place, map_as_completed

HERE: list[tuple[Place, int]] = [("local", 1), ("local", 2), ("threads", 1), ("threads", 3)]


def square(number: int) -> int:
    return number * number


def slow_first(number: int) -> int:
    time.sleep(0.6 if number == 0 else 0)
    return number * number


def refuse(number: int) -> int:
    if number == 3:
        raise InputError("three")
    return number * number


def die(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize(("engine", "workers"), HERE)
def test_nothing_to_do(engine: Place, workers: int) -> None:
    assert list(map_as_completed(square, [], engine=engine, workers=workers)) == []


@pytest.mark.parametrize(("engine", "workers"), HERE)
def test_each_once(engine: Place, workers: int) -> None:
    found = list(map_as_completed(square, [5, 6, 7] * 5, engine=engine, workers=workers))
    assert sorted(found) == [(i, (5 + i % 3) ** 2) for i in range(15)]


@pytest.mark.parametrize(("engine", "workers"), [("local", 2), ("threads", 2)])
def test_a_slow_one_holds_none_back(engine: Place, workers: int) -> None:
    found = list(map_as_completed(slow_first, range(9), engine=engine, workers=workers))
    assert found[-1] == (0, 0)
    assert sorted(found) == [(i, i * i) for i in range(9)]


@pytest.mark.parametrize(("engine", "workers"), HERE)
def test_errors_come_through(engine: Place, workers: int) -> None:
    with pytest.raises(InputError, match="three"):
        list(map_as_completed(refuse, range(50), engine=engine, workers=workers))


def test_a_killed_process_ends_the_work_with_one_line() -> None:
    with pytest.raises(InputError, match="one of 2 worker processes ended early"):
        list(map_as_completed(die, range(9), workers=2))


def test_no_more_is_handed_out_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    results = map_as_completed(begun.append, range(50), engine="threads", workers=2)
    next(results)
    time.sleep(0.1)
    assert len(begun) <= module.AHEAD * 2 + 1


def test_an_end_before_time_does_not_wait_for_threads() -> None:
    go_on, begun = threading.Event(), []

    def work(number: int) -> int:
        begun.append(number)
        if number:
            go_on.wait(30)
        return number

    results: Iterator[tuple[int, int]] = map_as_completed(
        work, range(9), engine="threads", workers=2
    )
    assert next(results) == (0, 0)
    start = time.monotonic()
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 10
    go_on.set()
    time.sleep(0.1)
    assert len(begun) <= 3  # those under way; no further one


@pytest.mark.parametrize("workers", [0, -1])
def test_no_worker(workers: int) -> None:
    with pytest.raises(InputError, match="at least 1"):
        map_as_completed(square, [], workers=workers)
