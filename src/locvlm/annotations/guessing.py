"""Which form annotations are in, told from the file or folder itself."""

from __future__ import annotations
def guess(path): ...
