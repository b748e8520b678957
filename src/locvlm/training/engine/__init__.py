"""How a stage computes, step after step, and what it keeps and tells on the way."""
