"""Two processes in one folder, and locks that were left behind."""

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from locvlm.errors import InputError
from locvlm.io import folder_lock
from locvlm.io.folder_lock import LOCK, SILENT, LockHolder, hold_folder


def leave(folder: Path, holder: LockHolder, ago: float = 0) -> None:
    folder.mkdir(exist_ok=True)
    (folder / LOCK).write_bytes(msgspec.json.encode(holder))
    os.utime(folder / LOCK, (time.time() - ago,) * 2)


def test_the_second_is_refused_and_the_next_is_not(tmp_path: Path) -> None:
    with hold_folder(tmp_path / "out", "trains"):
        with (
            pytest.raises(InputError, match=rf"out: process {os.getpid()} trains here; wait"),
            hold_folder(tmp_path / "out", "trains"),
        ):
            raise AssertionError
        assert (tmp_path / "out" / LOCK).exists()
    assert list((tmp_path / "out").iterdir()) == []
    with hold_folder(tmp_path / "out", "trains"):
        pass


def test_of_another_process(tmp_path: Path) -> None:
    """As long as it lives, and no longer."""
    code = (
        "import sys, time; from pathlib import Path\n"
        "from locvlm.io.folder_lock import hold_folder\n"
        "with hold_folder(Path(sys.argv[1]), 'trains'): print('here', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with (
            pytest.raises(InputError, match=f"process {other.pid} trains"),
            hold_folder(tmp_path, "trains"),
        ):
            pass
        other.kill()
    assert (tmp_path / LOCK).exists()
    with hold_folder(tmp_path, "trains"):
        pass


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
def test_a_process_that_has_the_number_of_another(tmp_path: Path) -> None:
    leave(tmp_path, LockHolder(os.getppid(), platform.node(), "1"))
    with hold_folder(tmp_path, "trains"):
        pass


@pytest.mark.parametrize(("ago", "held"), [(SILENT / 2, True), (SILENT * 2, False)])
def test_on_another_computer(tmp_path: Path, ago: float, held: bool) -> None:
    """Its processes cannot be asked; they show that they live."""
    leave(tmp_path, LockHolder(1, "elsewhere"), ago)
    if not held:
        with hold_folder(tmp_path, "trains"):
            return
    with pytest.raises(InputError, match="process 1 on elsewhere"), hold_folder(tmp_path, "trains"):
        pass


@pytest.mark.parametrize("ago", [0, SILENT * 2])
def test_a_lock_that_was_never_written(tmp_path: Path, ago: float) -> None:
    (tmp_path / LOCK).touch()
    os.utime(tmp_path / LOCK, (time.time() - ago,) * 2)
    if ago:
        with hold_folder(tmp_path, "trains"):
            return
    with pytest.raises(InputError, match="another process"), hold_folder(tmp_path, "trains"):
        pass


def test_it_shows_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_lock, "BEAT", 0.01)
    with hold_folder(tmp_path, "trains"):
        os.utime(tmp_path / LOCK, (0, 0))
        deadline = time.time() + 10
        while (tmp_path / LOCK).stat().st_mtime == 0 and time.time() < deadline:
            time.sleep(0.01)
        assert (tmp_path / LOCK).stat().st_mtime > 0


def test_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match="no folder can be made there"),
        hold_folder(tmp_path / "file/out", "trains"),
    ):
        pass
