"""Whether a model takes other positions of each row for the logits, as (B, K) `logits_to_keep`.

transformers 5.20 or so began to, without a version to ask for; it came together with
`modeling_utils.slice_logits_to_keep`. Needless once the oldest transformers that is allowed has it.
"""

from __future__ import annotations

from transformers import modeling_utils

KEEPS_PER_ROW = hasattr(modeling_utils, "slice_logits_to_keep")
