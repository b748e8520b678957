"""SHA-256, by which LocVLM tells files and data apart; in hexadecimal digits."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest_file(path: Path) -> str:
    """Of a file's bytes. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_bytes(data: bytes) -> str:
    """Of bytes in memory."""
    return hashlib.sha256(data).hexdigest()
