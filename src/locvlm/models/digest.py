"""Which model it is, by its files: the same folder may hold another one after a training."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from locvlm.io.digests import digest_bytes, digest_file
from locvlm.models.folders import resolve

# All that decides the answers; not model cards, logs and what an evaluation writes
_FILES = (
    *("*.safetensors", "*config.json", "locvlm.json", "chat_template*", "tokenizer*"),
    *("added_tokens.json", "special_tokens_map.json", "vocab*", "merges.txt", "*.model"),
)


def digest_model(name: str | Path) -> str:
    """SHA-256 of the weights and settings of a model, and of its base where it is an adapter.

    The same for copies of a folder elsewhere. Files that have not changed since this process last
    read them are not read again.

    Raises:
        InputError: there is no such model.
        OSError: a file of it cannot be read.
    """
    lines = []
    for part, folder in enumerate(dict.fromkeys(resolve(name))):
        files = {path for pattern in _FILES for path in folder.glob(pattern) if path.is_file()}
        for path in sorted(files):
            stat = path.stat()
            lines.append(f"{part}/{path.name} {_digest(path, stat.st_size, stat.st_mtime_ns)}\n")
    return digest_bytes(os.fsencode("".join(lines)))


@lru_cache(maxsize=1024)
def _digest(path: Path, size: int, changed: int) -> str:
    """`size` and `changed` (ns) tell versions of the file apart."""
    return digest_file(path)
