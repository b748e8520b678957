"""Several processes that share a run, as `torchrun` starts them.

Each answers its part of the questions into a file of its own; when all are done the first one puts
the files together.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")

_PATIENCE = timedelta(days=7)  # for the slowest process


@dataclass(frozen=True)
class Process:
    """One of the processes of a run."""

    rank: int = 0
    count: int = 1

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """The items that this process works on; together the processes have each once."""
        return items[self.rank :: self.count]

    def wait_for_all(self) -> None:
        """Return when every process of the run has come here."""
        if self.count == 1:
            return
        import torch.distributed as group

        if not group.is_initialized():
            group.init_process_group("gloo", timeout=_PATIENCE)
        group.barrier()


def this_process() -> Process:
    """As `torchrun` says in the environment; without it the only one."""
    return Process(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))
