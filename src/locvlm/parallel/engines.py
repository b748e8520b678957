"""Where the work of a build is done: here, in processes beside, or on many machines.

An engine maps a function over batches and yields the results in the order of the batches, whoever
is done first: the outcome is the same on each. What the batches have in common belongs into the
function, which is sent once (`functools.partial` binds it there); a batch is sent to one worker.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from typing import Any, Literal, TypeVar

from locvlm.errors import InputError, first_line
from locvlm.runtime.interrupts import end_children

Engine = Literal["local", "ray"]

B = TypeVar("B")
R = TypeVar("R")

AHEAD = 2  # batches per worker that are handed out at once, so that memory stays bounded
RETRIES = 3  # of a batch whose Ray worker or machine is lost


def map_in_order(
    function: Callable[[B], R], batches: Iterable[B], *, engine: Engine = "local", workers: int = 1
) -> Iterator[R]:
    """``function(batch)`` of each batch, in order.

    Args:
        function: can be pickled, as can batches and results, where there are several workers.
        batches: are taken as they are needed.
        engine: "local", or "ray": a Ray cluster, the one that RAY_ADDRESS names or a new local one.
            What a lost worker or machine had under way is done again there.
        workers: processes at the same time; 1 and "local" is this process. With Ray, tasks;
            a cluster with room for more also runs those that are handed out ahead.

    Raises:
        InputError: no worker; one was killed; or Ray is asked for and not installed, its cluster
            does not answer, or its workers cannot load the function or go on dying.
    """
    if workers < 1:
        raise InputError(f"workers must be at least 1, not {workers}")
    if engine == "ray":
        return _ray(function, batches, workers)
    return map(function, batches) if workers == 1 else _processes(function, batches, workers)


def _processes(function: Callable[[B], R], batches: Iterable[B], workers: int) -> Iterator[R]:
    with open_processes(function, workers) as submit:
        waiting: deque[Future[R]] = deque()
        for batch in batches:
            waiting.append(submit(batch))
            if len(waiting) > AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def open_processes(function: Callable[[B], R], workers: int) -> Iterator[Callable[[B], Future[R]]]:
    """What hands a batch to one of so many processes, each of which has the function.

    Raises InputError where one of them was killed.
    """
    _start_janitor()
    # spawn: a fork of a process whose libraries run threads can hang
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _keep_function, (function,))
    try:
        yield lambda batch: pool.submit(_call_kept, batch)
    except BrokenProcessPool:
        raise InputError(
            f"one of {workers} worker processes ended early: killed, perhaps for want of memory; "
            "try again with fewer workers"
        ) from None
    except KeyboardInterrupt:
        end_children()  # what they have under way is not waited for
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _start_janitor() -> None:
    """Of multiprocessing: what it clears up after a process that Ctrl-C has ended is no news."""
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")  # it inherits them
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.pop()


_function: Callable[[Any], Any]  # of this worker process


def _keep_function(function: Callable[[Any], Any]) -> None:
    global _function
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that began this one answers Ctrl-C
    _function = function


def _call_kept(batch: Any) -> Any:
    return _function(batch)


def _ray(function: Callable[[B], R], batches: Iterable[B], workers: int) -> Iterator[R]:
    ray = connect_to_ray(workers)
    task = ray.remote(max_retries=RETRIES)(_call)
    shared = ray.put(function)  # a machine fetches it once, for all of its tasks
    waiting: deque[Any] = deque()
    for batch in batches:
        waiting.append(task.remote(shared, batch))
        if len(waiting) > AHEAD * workers:
            yield _result(ray, waiting.popleft())
    while waiting:
        yield _result(ray, waiting.popleft())


def _call(function: Callable[[B], R], batch: B) -> R:
    return function(batch)


def connect_to_ray(workers: int) -> Any:
    """The module ray, connected to a cluster."""
    try:
        import ray
    except ModuleNotFoundError:
        raise InputError("--engine ray needs Ray; pip install 'locvlm[ray]'") from None
    # the first error ends the work and is raised: those of the batches behind it are no news
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS")
        here = {} if address else {"num_cpus": workers, "include_dashboard": False}
        try:
            ray.init(log_to_driver=False, logging_level="error", **here)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(
                f"no Ray cluster at {address or 'this machine'} ({first_line(error)}); "
                "check RAY_ADDRESS"
            ) from None
    return ray


def _result(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", error)  # what the function raised, if it was the function
        if not isinstance(cause, ray.exceptions.RayError):
            raise cause from None
        raise ray_failure(cause) from None


def ray_failure(error: Exception) -> InputError:
    """What to say where Ray does."""
    return InputError(
        f"Ray gave up on a batch ({first_line(error)}); all machines need "
        "this version of LocVLM, and memory for a batch per worker"
    )
