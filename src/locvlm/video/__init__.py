"""Clips: frames out of files, what stays in place in them, and a model that reads them."""
