"""The same results in the same order, wherever they are made."""

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from locvlm.errors import InputError
from locvlm.parallel import engines
from locvlm.parallel.engines import map_in_order


def square(number: int) -> tuple[int, int]:
    time.sleep(0.05 if number == 0 else 0)  # the first is the last to be done
    return number * number, os.getpid()


def refuse(number: int) -> int:
    if number == 3:
        raise InputError("three")
    return number


def die(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_once(marker: Path, number: int) -> tuple[int, int]:
    if number == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return square(number)


class Counted:
    """Adds one, and counts how often it is sent."""

    sent = 0

    def __call__(self, number: int) -> int:
        return number + 1

    def __reduce__(self) -> Any:
        Counted.sent += 1
        return Counted, ()


class Unknown:
    """Is not installed where it is sent to."""

    def __call__(self, number: int) -> int:
        return number

    def __reduce__(self) -> Any:
        return import_module, ("not_installed_there",)


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_to_do(workers: int) -> None:
    assert list(map_in_order(square, [], workers=workers)) == []


def test_here() -> None:
    assert list(map_in_order(square, range(3))) == [(i * i, os.getpid()) for i in range(3)]


def test_in_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "AHEAD", 1)
    taken = []

    def batches() -> Iterator[int]:
        for number in range(9):
            taken.append(number)
            yield number

    results = map_in_order(square, batches(), workers=2)
    first = next(results)
    assert len(taken) <= 4  # not all are read at once
    rest = list(results)
    assert [value for value, _ in [first, *rest]] == [i * i for i in range(9)]
    assert os.getpid() not in {process for _, process in rest}


def test_errors_of_a_worker_come_through() -> None:
    results = map_in_order(refuse, range(5), workers=2)
    with pytest.raises(InputError, match="three"):
        list(results)


def test_a_function_is_sent_once_to_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counted, "sent", 0)
    assert list(map_in_order(Counted(), range(9), workers=2)) == list(range(1, 10))
    assert Counted.sent == 2


def test_a_killed_process_ends_the_work_with_one_line() -> None:
    with pytest.raises(InputError, match="one of 2 worker processes ended early") as caught:
        list(map_in_order(die, range(9), workers=2))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, -1])
def test_no_worker(workers: int) -> None:
    with pytest.raises(InputError, match="at least 1"):
        map_in_order(square, [], workers=workers)


class TestRay:
    @pytest.fixture(autouse=True)
    def needs_ray(self) -> None:
        pytest.importorskip("ray")

    def test_nothing_to_do(self) -> None:
        assert list(map_in_order(square, [], engine="ray", workers=2)) == []

    def test_streams_in_order(self) -> None:
        taken = []

        def batches() -> Iterator[int]:
            for number in range(9):
                taken.append(number)
                yield number

        results = map_in_order(square, batches(), engine="ray", workers=2)
        first = next(results)
        assert len(taken) == 5  # not all are read at once
        rest = list(results)
        assert [value for value, _ in [first, *rest]] == [i * i for i in range(9)]
        assert os.getpid() not in {process for _, process in rest}

    def test_a_function_is_sent_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Counted, "sent", 0)
        assert list(map_in_order(Counted(), range(9), engine="ray", workers=2)) == list(
            range(1, 10)
        )
        assert Counted.sent == 1

    def test_errors_of_a_worker_come_through(self) -> None:
        with pytest.raises(InputError) as caught:
            list(map_in_order(refuse, range(5), engine="ray", workers=2))
        assert str(caught.value) == "three"

    def test_what_a_killed_worker_had_is_done_again(self, tmp_path: Path) -> None:
        marker = tmp_path / "died"
        results = map_in_order(partial(die_once, marker), range(9), engine="ray", workers=2)
        assert [value for value, _ in results] == [i * i for i in range(9)]
        assert marker.exists()

    def test_a_batch_that_kills_every_worker_ends_the_work_with_one_line(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engines, "RETRIES", 0)
        with pytest.raises(InputError, match="Ray gave up on a batch") as caught:
            list(map_in_order(die, range(9), engine="ray", workers=2))
        assert "\n" not in str(caught.value)

    def test_machines_without_the_function_end_the_work_with_one_line(self) -> None:
        with pytest.raises(InputError, match="No module named 'not_installed_there'") as caught:
            list(map_in_order(Unknown(), range(9), engine="ray", workers=2))
        assert "\n" not in str(caught.value)

    def test_no_cluster_where_it_should_be(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import ray

        monkeypatch.setattr(ray, "is_initialized", lambda: False)
        monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
        with pytest.raises(InputError, match="127.0.0.1:1") as caught:
            list(map_in_order(square, [1], engine="ray"))
        assert "\n" not in str(caught.value)


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'locvlm\[ray\]'"):
        list(map_in_order(square, [1], engine="ray"))
