"""Many frames become few tokens: means over space, and means over time.

frame 1  ▦ ─► mean over its patches ─► 1 token     when
…        …                             …
frame F  ▦ ─► mean over its patches ─► 1 token
         ▼ mean over the frames, patch by patch
         ▦ ───────────────────────────► T tokens   where
"""

from __future__ import annotations

import torch


def pool(features: torch.Tensor) -> torch.Tensor:
    """(B, F + T, D) tokens of clips: F that tell the frames apart, then T that keep places.

    Means are taken in float32. Source: arXiv 2404.07449, video; the order is that of Video-ChatGPT
    (arXiv 2306.05424).

    Args:
        features: (B, F, T, D) of T patches in each of F frames.
    """
    wide = features.float()
    return torch.cat([wide.mean(2), wide.mean(1)], dim=1).to(features.dtype)
