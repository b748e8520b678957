"""A LLaVA that reads clips as well as pictures (LocVLM-Vid of arXiv 2404.07449)."""
