"""The processes of a run that `torchrun` or `accelerate launch` started; else the only one."""

from __future__ import annotations

import torch
from accelerate import DistributedType, PartialState


def processes() -> PartialState:
    """Who takes part; they talk over gloo where there is no GPU."""
    return PartialState(cpu=not torch.cuda.is_available())


def launched() -> bool:
    """Whether a launcher started this process, even as the only one."""
    return bool(processes().distributed_type != DistributedType.NO)
