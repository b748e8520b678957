"""TRL's GRPO trainer with log-probabilities computed in another way.

trl 1.16, `GRPOTrainer._get_per_token_logps_and_entropies`: it reads a picture once per answer, and
no setting changes that. Needless once TRL reads each picture once, or takes a function for it.
"""

from __future__ import annotations

from typing import Any

import torch
from trl import GRPOTrainer


class LogProbsTrainer(GRPOTrainer):
    """As `GRPOTrainer`; `token_log_probs` says how likely sampled answers are."""

    def token_log_probs(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        length: int,
        pixel_values: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, length) log-probabilities of the tokens of the answers, and their entropies.

        Args:
            model: maybe wrapped.
            input_ids: (B, T) questions padded on the left, then answers.
            attention_mask: (B, T).
            length: tokens of the answers.
            pixel_values: (B, …) one row of pixels per picture.
        """
        raise NotImplementedError

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        pixel_values: torch.Tensor | None = None,
        **others: Any,
    ) -> Any:
        known = {"compute_entropy", "compute_aux_loss", "num_images"}
        inputs = {name for name, value in others.items() if value is not None} - known
        rows = (model, input_ids, attention_mask, logits_to_keep)
        if pixel_values is None or inputs:  # not one row of inputs per picture
            return super()._get_per_token_logps_and_entropies(
                *rows, batch_size, pixel_values=pixel_values, **others
            )
        # no loss of a mixture of experts
        return *self.token_log_probs(*rows, pixel_values), None
