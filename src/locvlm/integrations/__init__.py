"""LocVLM's models inside other projects; each file needs that project installed."""
