"""Learning from rewards: GRPO (arXiv 2402.03300)."""
