"""Where the work of a build is done: here, in processes beside, or on many machines.

An engine maps a function over batches and yields the results in the order of the batches, whoever
is done first: the outcome is the same on each.
"""

from __future__ import annotations

import os
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Literal, TypeVar

from locvlm.errors import InputError

Engine = Literal["local", "ray"]

B = TypeVar("B")
R = TypeVar("R")

AHEAD = 2  # batches per worker that are handed out at once, so that memory stays bounded


def ordered(
    function: Callable[[B], R], batches: Iterable[B], *, engine: Engine = "local", workers: int = 1
) -> Iterator[R]:
    """``function(batch)`` of each batch, in order.

    Args:
        function: can be pickled, as can batches and results, where there are several workers.
        batches: are taken as they are needed.
        engine: "local", or "ray": a Ray cluster, the one that RAY_ADDRESS names or a new local one.
        workers: processes, or with Ray tasks, at the same time; 1 and "local" is this process.

    Raises:
        InputError: no worker, or Ray is asked for and not installed.
    """
    if workers < 1:
        raise InputError(f"workers must be at least 1, not {workers}")
    if engine == "ray":
        return _ray(function, batches, workers)
    return map(function, batches) if workers == 1 else _processes(function, batches, workers)


def _processes(function: Callable[[B], R], batches: Iterable[B], workers: int) -> Iterator[R]:
    # spawn: a fork of a process whose libraries run threads can hang
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        waiting: deque[Future[R]] = deque()
        for batch in batches:
            waiting.append(pool.submit(function, batch))
            if len(waiting) > AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _ray(function: Callable[[B], R], batches: Iterable[B], workers: int) -> Iterator[R]:
    try:
        import ray
        import ray.data
    except ModuleNotFoundError:
        raise InputError("--engine ray needs Ray; pip install 'locvlm[ray]'") from None
    if not ray.is_initialized():
        here = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": workers}
        ray.init(log_to_driver=False, **here)
    ray.data.DataContext.get_current().execution_options.preserve_order = True

    def work(row: dict[str, bytes]) -> dict[str, bytes]:
        return {"result": pickle.dumps(function(pickle.loads(row["batch"])))}

    rows = [{"batch": pickle.dumps(batch)} for batch in batches]
    data = ray.data.from_items(rows, override_num_blocks=max(1, len(rows)))
    for row in data.map(work, concurrency=workers).iter_rows():
        yield pickle.loads(row["result"])
