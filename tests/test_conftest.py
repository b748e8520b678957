"""Slow tests come last, and are left out where time is up: never silently, never others."""

import gc
import time
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings

from tests import conftest


def item(*, slow: bool, until: float | None = None) -> Any:
    """A test, as far as the hooks look at it."""
    return SimpleNamespace(
        nodeid="tests/test_it.py::test_it",
        get_closest_marker=lambda name: "a mark" if slow and name == "slow" else None,
        config=SimpleNamespace(getoption=lambda name: {"--slow-until": until}[name]),
    )


def test_slow_ones_come_last_and_else_stay_in_order() -> None:
    first, second, third, fourth = (item(slow=slow) for slow in (True, False, True, False))
    items = [first, second, third, fourth]
    conftest.pytest_collection_modifyitems(items)
    assert items == [second, fourth, first, third]


@pytest.mark.parametrize(
    ("slow", "until", "minutes", "left_out"),
    [
        (True, 6, 7, True),
        (True, 6, 5, False),
        (True, None, 999, False),
        (False, 6, 999, False),
    ],
)
def test_what_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
    slow: bool,
    until: float | None,
    minutes: float,
    left_out: bool,
) -> None:
    monkeypatch.setenv(conftest.BEGAN, str(time.time() - minutes * 60))
    test = item(slow=slow, until=until)
    if left_out:
        with pytest.raises(pytest.skip.Exception, match="test_it.py: slow, and 6 minutes are"):
            conftest.pytest_runtest_setup(test)
    else:
        conftest.pytest_runtest_setup(test)


def test_there_is_a_worker_on_any_machine(pytestconfig: pytest.Config) -> None:
    assert 1 <= conftest.pytest_xdist_auto_num_workers(pytestconfig) <= conftest.WORKERS


def test_what_is_collected_is_not_gone_over_again() -> None:
    assert gc.isenabled()
    assert gc.get_freeze_count() > 100_000


def test_fewer_examples_only_where_slow_ones_are_skipped(pytestconfig: pytest.Config) -> None:
    hurried = pytestconfig.getoption("--slow-until") is not None
    assert (settings.default.max_examples == 40) == hurried
    assert settings.default.deadline is None
