"""FSDP2 without a GPU, and the end of a sharded run in a process that goes on.

accelerate 1.15 offers FSDP for accelerators alone, though PyTorch shards over gloo as well: the
distributed type and the plugin are set in `Accelerator.state` and `PartialState` by hand, from
`Trainer.create_accelerator_and_postprocess` (transformers 5.23). It also leaves
`ACCELERATE_USE_FSDP` in the environment, and transformers its DeepSpeed settings in a global.
Needless once accelerate shards on CPUs and both clean up.
"""

from __future__ import annotations

import os

from accelerate import DistributedType, PartialState
from accelerate.utils import FullyShardedDataParallelPlugin
from transformers import Trainer
from transformers.integrations.deepspeed import unset_hf_deepspeed_config


class CpuFsdpTrainer(Trainer):
    """As `Trainer`, and FSDP2 over gloo where there is no GPU."""

    is_fsdp_enabled: bool

    def create_accelerator_and_postprocess(self) -> None:
        """As `Trainer`'s."""
        super().create_accelerator_and_postprocess()
        if self.args.fsdp and not self.is_fsdp_enabled:
            for state in (PartialState(), self.accelerator.state):
                state.distributed_type = DistributedType.FSDP
            plugin = FullyShardedDataParallelPlugin(**self.args.fsdp_plugin_args)
            self.accelerator.state.fsdp_plugin = plugin
            self.is_fsdp_enabled = True


def reset_sharding() -> None:
    """Models and trainers from now on are whole ones, unless they are told otherwise again."""
    unset_hf_deepspeed_config()
    os.environ.pop("ACCELERATE_USE_FSDP", None)
