"""Who does long work: this process, others beside it, threads, or actors of Ray Data.

Results come as they are done, unlike those of `instructions.engines`, so that each can be put in
safety at once: a batch that takes its time holds none of the others back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, TypeVar

from locvlm.errors import InputError
from locvlm.parallel.engines import AHEAD, open_processes

Place = Literal["local", "threads", "ray"]

B = TypeVar("B")
R = TypeVar("R")


def map_as_completed(
    function: Callable[[B], R],
    batches: Sequence[B],
    *,
    engine: Place = "local",
    workers: int = 1,
    gpu: bool = True,
) -> Iterator[tuple[int, R]]:
    """The place of each batch and ``function(batch)``, whichever is done first.

    Args:
        function: with "local" and several workers, and with "ray", it can be pickled, as can
            batches and results. What it loads it had better keep, since its process does many.
        batches: what there is to do.
        engine: "local", in processes; "threads" of this one, for a function that waits for a
            server; "ray", in actors on a Ray cluster (see `ray_data`).
        workers: how many; 1 and "local" is this process.
        gpu: `function` uses a GPU where there is one; with "ray", each actor has its own.

    Raises:
        InputError: no worker; one was killed; `function` raises it; or what `ray_data` says.
    """
    if workers < 1:
        raise InputError(f"workers must be at least 1, not {workers}")
    if engine == "ray":
        from locvlm.parallel.ray_data import map_on_ray

        return map_on_ray(function, batches, workers, gpu=gpu)
    if engine == "local" and workers == 1:
        return enumerate(map(function, batches))
    pool = _threads if engine == "threads" else open_processes
    return _futures(pool(function, workers), batches, AHEAD * workers)


def _futures(
    pool: AbstractContextManager[Callable[[B], Future[R]]], batches: Sequence[B], most: int
) -> Iterator[tuple[int, R]]:
    """At `most` so many are handed out at a time."""
    with pool as submit:
        waiting: dict[Future[R], int] = {}
        for place, batch in enumerate(batches):
            waiting[submit(batch)] = place
            if len(waiting) >= most:
                yield from _take_completed(waiting)
        while waiting:
            yield from _take_completed(waiting)


def _take_completed(waiting: dict[Future[R], int]) -> Iterator[tuple[int, R]]:
    """What is done, at least one; those that failed come last, so that the others are not lost."""
    done = wait(waiting, return_when=FIRST_COMPLETED).done
    for future in sorted(done, key=lambda future: future.exception() is not None):
        yield waiting.pop(future), future.result()


@contextmanager
def _threads(function: Callable[[B], R], workers: int) -> Iterator[Callable[[B], Future[R]]]:
    pool = ThreadPoolExecutor(workers)
    try:
        yield lambda batch: pool.submit(function, batch)
    finally:
        # What is under way may take minutes: whoever made the function can end it
        pool.shutdown(wait=False, cancel_futures=True)
