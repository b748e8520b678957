"""The steps of transformers' `Trainer` that have no public name, as methods to override.

transformers 5.23, `Trainer._get_train_sampler`, `_save_checkpoint`, `_save`,
`_load_from_checkpoint` and `_issue_warnings_after_load`: callbacks come after a checkpoint is
written, and cannot add to it, refuse it, or name its weights. Needless once Trainer has public
hooks for them.
"""

from __future__ import annotations

from typing import Any

from torch.utils.data import Sampler
from transformers import Trainer


class HookedTrainer(Trainer):
    """As `Trainer`; a subclass calls `super()` for what `Trainer` does."""

    def build_sampler(self) -> Sampler[int] | None:
        """In which order the training data is visited."""
        return super()._get_train_sampler()

    def save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """Write a checkpoint: weights, optimizer, schedule, and the state of the run."""
        super()._save_checkpoint(*args, **kwargs)

    def save_weights(self, folder: str | None = None, state: dict[str, Any] | None = None) -> None:
        """Write the model, with its own weights or those in `state`."""
        super()._save(folder, state)

    def load_checkpoint(self, checkpoint: str, *args: Any, **kwargs: Any) -> None:
        """Read the model's weights back."""
        super()._load_from_checkpoint(checkpoint, *args, **kwargs)

    def check_loaded(self, result: Any) -> None:
        """Called with the missing and the unexpected keys of what was read."""
        super()._issue_warnings_after_load(result)

    def _get_train_sampler(self, *_: Any, **__: Any) -> Sampler[int] | None:
        return self.build_sampler()

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        self.save_checkpoint(*args, **kwargs)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        self.save_weights(output_dir, state_dict)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, *args: Any, **kwargs: Any) -> None:
        self.load_checkpoint(resume_from_checkpoint, *args, **kwargs)

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        self.check_loaded(load_result)
