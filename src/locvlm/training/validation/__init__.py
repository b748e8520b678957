"""Looks at held-out images while a stage trains: what is best is kept, and the gap is told."""
