"""Several processes that share a run, as `torchrun` or `accelerate launch` starts them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from accelerate import PartialState

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


def current_process() -> Process:
    """As `torchrun` says in the environment; without it the only one."""
    return Process(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def partial_state() -> PartialState:
    """Accelerate's view of the processes; they talk over gloo where there is no GPU."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())


def is_launched() -> bool:
    """Whether a launcher started this process, even as the only one."""
    from accelerate import DistributedType

    return bool(partial_state().distributed_type != DistributedType.NO)
