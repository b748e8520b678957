"""SHA-256, by which LocVLM tells files and data apart, and a sum that tells damage faster.

Both in hexadecimal digits.
"""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

_PART = 2**22  # bytes that are read at once


def digest_file(path: Path) -> str:
    """Of a file's bytes. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum_file(path: Path) -> str:
    """The CRC-32 of a file's bytes. Raises OSError where it cannot be read."""
    total = 0
    with path.open("rb") as file:
        while part := file.read(_PART):
            total = zlib.crc32(part, total)
    return f"{total:08x}"


def digest_bytes(data: bytes) -> str:
    """Of bytes in memory."""
    return hashlib.sha256(data).hexdigest()
