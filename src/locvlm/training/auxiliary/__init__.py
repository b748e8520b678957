"""Losses beside those of the answers."""
