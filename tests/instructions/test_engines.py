"""The same results in the same order, wherever they are made."""

import os
import time
from collections.abc import Iterator

import pytest

from locvlm.errors import InputError
from locvlm.instructions import engines
from locvlm.instructions.engines import ordered


def square(number: int) -> tuple[int, int]:
    time.sleep(0.05 if number == 0 else 0)  # the first is the last to be done
    return number * number, os.getpid()


def refuse(number: int) -> int:
    if number == 3:
        raise InputError("three")
    return number


def test_nothing_to_do() -> None:
    assert list(ordered(square, [])) == []


def test_here() -> None:
    assert list(ordered(square, range(3))) == [(i * i, os.getpid()) for i in range(3)]


def test_in_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "AHEAD", 1)
    taken = []

    def batches() -> Iterator[int]:
        for number in range(9):
            taken.append(number)
            yield number

    results = ordered(square, batches(), workers=2)
    first = next(results)
    assert len(taken) <= 4  # not all are read at once
    rest = list(results)
    assert [value for value, _ in [first, *rest]] == [i * i for i in range(9)]
    assert os.getpid() not in {process for _, process in rest}


def test_errors_of_a_worker_come_through() -> None:
    results = ordered(refuse, range(5), workers=2)
    with pytest.raises(InputError, match="three"):
        list(results)


@pytest.mark.parametrize("workers", [0, -1])
def test_no_worker(workers: int) -> None:
    with pytest.raises(InputError, match="at least 1"):
        ordered(square, [], workers=workers)


def test_on_ray() -> None:
    pytest.importorskip("ray")
    results = list(ordered(square, range(5), engine="ray", workers=2))
    assert [value for value, _ in results] == [i * i for i in range(5)]
    assert os.getpid() not in {process for _, process in results}


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'locvlm\[ray\]'"):
        list(ordered(square, [1], engine="ray"))
