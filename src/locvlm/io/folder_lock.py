"""One process at a time in a folder; a lock that a killed process has left holds nobody up."""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from locvlm.errors import InputError
from locvlm.io.atomic import ensure_dir
from locvlm.io.own_files import decode_own
from locvlm.io.processes import birth_of, is_alive

LOCK = "running.lock"
BEAT = 20.0  # seconds between two signs of life
SILENT = 120.0  # seconds without one: a process on another computer has ended


class LockHolder(msgspec.Struct, frozen=True):
    """Which process it is."""

    pid: int
    host: str
    born: str = ""  # when it began, as its system counts; a number is given to others later


@contextmanager
def hold_folder(folder: Path, doing: str) -> Iterator[None]:
    """While it lasts, no other process gets past this for `folder`, which is made if need be.

    Args:
        folder: gets a file `LOCK`, which is removed at the end.
        doing: what a process does there, such as "trains".

    Raises:
        InputError: another process does; or nothing can be written there.
    """
    path = ensure_dir(folder) / LOCK
    _take(path, doing)
    done = threading.Event()
    threading.Thread(target=_show_life, args=(path, done), daemon=True).start()
    try:
        yield
    finally:
        done.set()
        with suppress(OSError):
            path.unlink()


def _take(path: Path, doing: str) -> None:
    own = LockHolder(os.getpid(), platform.node(), birth_of(os.getpid()))
    for _ in range(3):  # of a lock that was left another process may be quicker to take
        try:
            with path.open("xb") as file:
                file.write(msgspec.json.encode(own))
            return
        except FileExistsError:
            if who := _find_holder(path):
                raise InputError(
                    f"{path.parent}: {who} {doing} here; wait until it has ended, or choose "
                    "another folder"
                ) from None
            with suppress(OSError):
                path.unlink()
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    raise InputError(f"{path.parent}: another process {doing} here; choose another folder")


def _find_holder(path: Path) -> str:
    """Who holds a lock, in words; empty where nobody does any more."""
    try:
        silent = time.time() - path.stat().st_mtime > SILENT
        holder = decode_own(path.read_bytes(), LockHolder, str(path), "a lock")
    except FileNotFoundError:
        return ""
    except (OSError, InputError):  # it is about to be written, or never will be
        return "" if silent else "another process"
    if holder.host != platform.node() or sys.platform == "win32":
        there = f"process {holder.pid} on {holder.host}"
        return "" if silent else f"{there} (last seen less than {SILENT / 60:g} minutes ago)"
    if not is_alive(holder.pid) or birth_of(holder.pid) != holder.born:
        return ""
    return f"process {holder.pid}"


def _show_life(path: Path, done: threading.Event) -> None:
    while not done.wait(BEAT):
        with suppress(OSError):
            os.utime(path)
