from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.models.sources import in_cache


def test_a_folder_of_the_cache(tmp_path: Path) -> None:
    assert in_cache(tmp_path / "a" / "b").is_dir()
    assert in_cache(tmp_path / "a" / "b").is_dir()


def test_a_cache_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="the cache folder cannot be made .* LOCVLM_CACHE"):
        in_cache(tmp_path / "file" / "cache")
