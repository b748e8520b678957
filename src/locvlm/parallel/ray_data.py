"""Batches by actors of Ray Data, each of which keeps what it has loaded.

The process that began the work takes what comes back and is the only one to write. What a killed
actor or a lost machine had under way is done again by another.
"""

from __future__ import annotations

import logging
import pickle
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import pyarrow as pa

from locvlm.errors import InputError
from locvlm.parallel.engines import AHEAD, RETRIES, connect_to_ray, ray_failure

B = TypeVar("B")
R = TypeVar("R")


def map_on_ray(
    function: Callable[[B], R], batches: Sequence[B], workers: int, *, gpu: bool
) -> Iterator[tuple[int, R]]:
    """The place of each batch and ``function(batch)``, whichever is done first.

    Args:
        function: can be pickled, as can batches and results.
        batches: what there is to do.
        workers: actors, each with a CPU; those for which the cluster has no room wait.
        gpu: each also has a GPU of its own, where the cluster has any.

    Raises:
        InputError: `function` raises it; or there is no Ray, its cluster does not answer, or a
            batch goes on killing its actors.
    """
    if not batches:
        return
    ray = connect_to_ray(workers)
    from ray.data.exceptions import SystemException

    gpus = 1 if gpu and ray.cluster_resources().get("GPU") else None
    try:
        for table in _tables(ray, function, batches, workers, gpus):
            for row in table.to_pylist():
                result = pickle.loads(row["result"])
                if isinstance(result, _Failure):
                    raise result.error
                yield row["place"], result
    except (ray.exceptions.RayError, SystemException) as error:
        raise ray_failure(error) from None


def _tables(
    ray: Any, function: Callable[[B], R], batches: Sequence[B], workers: int, gpus: int | None
) -> Iterator[pa.Table]:
    """Places and results, pickled, of a batch or more."""
    import ray.data as data

    for handler in logging.getLogger("ray.data").handlers:
        if handler.name == "console":  # beside the log files, which stay
            handler.setLevel(logging.CRITICAL)
    rows = [{"place": place, "batch": pickle.dumps(batch)} for place, batch in enumerate(batches)]
    with warnings.catch_warnings():
        # Without these arguments a batch that kills its actor would be tried for ever
        warnings.filterwarnings("ignore", message="`ray_remote_args` is deprecated")
        done = data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _Actor,
            fn_constructor_args=(ray.cloudpickle.dumps(function),),
            batch_size=1,
            batch_format="pyarrow",
            compute=data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=AHEAD),
            num_gpus=gpus,
            max_restarts=-1,
            max_task_retries=RETRIES,
        )
    done.context.enable_progress_bars = False
    # With more prefetched, what is done would wait for what is not
    return done.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)


@dataclass(frozen=True)
class _Failure:
    error: Exception


class _Actor:
    def __init__(self, function: bytes) -> None:
        self._pickled = function

    def __call__(self, table: pa.Table) -> pa.Table:
        results = [pickle.dumps(self._result(batch.as_py())) for batch in table["batch"]]
        return pa.table({"place": table["place"], "result": pa.array(results, pa.large_binary())})

    def _result(self, batch: bytes) -> Any:
        """What the function makes of the batch, or its error: Ray would pass on the words alone."""
        try:
            return self._function(pickle.loads(batch))
        except Exception as error:
            error.add_note(traceback.format_exc())
            return _Failure(error)

    @cached_property
    def _function(self) -> Callable[[Any], Any]:
        try:
            return pickle.loads(self._pickled)
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"a machine of the Ray cluster cannot load the work ({error}); all need this "
                "version of LocVLM"
            ) from None
