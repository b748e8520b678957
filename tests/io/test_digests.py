import hashlib
from pathlib import Path

import pytest

from locvlm.io.digests import digest_bytes, digest_file


@pytest.mark.parametrize("data", [b"", b"abc", bytes(300_000)])
def test_the_digest(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(data)
    assert digest_file(tmp_path / "a") == digest_bytes(data) == hashlib.sha256(data).hexdigest()
