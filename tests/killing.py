"""Commands that are stopped by SIGINT, SIGTERM or SIGKILL while they run, and given again.

They are forks of a process that has all modules already, so that the moments lie in the work. Such
a process has no threads that compute, and uses no GPU.
"""

import atexit
import hashlib
import json
import multiprocessing.util
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm.std import tqdm

from locvlm.__main__ import main as locvlm

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
LIMIT = 400  # seconds after which a command hangs
DRAWS = 3  # for each kill, at most: those that come after the end do not count
# Times and the like, which differ from run to run
VARYING = ("log.jsonl", "trainer_state.json", "training_args.bin", "loss.png", "features")
# Fields of JSON files with measured seconds; a dot leads to one within another
SECONDS = {
    "tune.json": (
        "times",
        "spent",
        "plan.training",
        "plan.asking",
        "plan.lacking",
        "plan.all_seconds",
    )
}
LEFT = (".part", ".parts", ".new", ".lock")
BEGUN, DONE = b"b", b"d"


@dataclass
class Kills:
    """What came of the kills of a command."""

    seconds: float  # that it takes
    sent: int = 0
    struck: int = 0  # while it ran; the others came after its end
    failed: list[str] = field(default_factory=list)  # reruns, with what they said
    differing: list[str] = field(default_factory=list)  # with the files, of the rerun
    left: list[str] = field(default_factory=list)  # with what was not whole
    lost: list[str] = field(default_factory=list)  # with the user's own files that changed

    @property
    def wrong(self) -> list[str]:
        """All that should not be."""
        return self.failed + self.differing + self.left + self.lost


def kill_often(command: Sequence[str], home: Path, moments: int, seed: str) -> Kills:
    """Kills a command at seeded moments until so many have struck it, and gives it again each time.

    Args:
        command: words after ``locvlm``; it writes into `home`.
        home: the user's folder, which is copied each time.
        moments: kills that strike.
        seed: of the moments.
    """
    with copied(home) as there:
        began = time.monotonic()
        finish(command, there)
        kills = Kills(time.monotonic() - began)
        whole = hashes(there)
    length = kills.seconds
    while kills.struck < moments and kills.sent < DRAWS * moments:
        number, chance = kills.struck, random.Random(f"{seed}/{kills.sent}")
        late = number % 2  # half of them: in the first third modules and models are loaded
        moment = (chance.uniform(0.3, 1.0) if late else chance.random()) * length
        kills.sent += 1
        with copied(home) as there:
            mine = hashes(there)
            if not strike(command, there, SIGNALS[number % len(SIGNALS)], moment):
                length = min(length, moment)  # the machine is faster now
                continue
            kills.struck += 1
            place = f"{seed}: {SIGNALS[number % len(SIGNALS)].name} after {moment:.2f} s"
            _note(kills.lost, place, changed(mine, hashes(there)))
            if code := wait(begin(command, there)):
                kills.failed.append(f"{place}: {code} {said(there)[-400:]}")
                continue
            now = hashes(there)
            _note(kills.lost, place, changed(mine, now))
            _note(kills.left, place, remains_in(there))
            _note(kills.differing, place, changed(whole, now, also_new=True))
    return kills


def _note(where: list[str], place: str, files: Collection[str]) -> None:
    if files:
        where.append(f"{place}: {', '.join(sorted(files)[:6])}")


def strike(command: Sequence[str], home: Path, number: signal.Signals, moment: float) -> bool:
    """Sends a signal so many seconds after a command has begun; whether it was not done by then."""
    ours, theirs = os.pipe()
    process = begin(command, home, tell=theirs)
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as pipe:
        pipe.read(1)
        time.sleep(moment)
        os.kill(process, number)  # not waited for yet, so the number is still its own
        wait(process)
        return pipe.read(1) != DONE


@contextmanager
def copied(home: Path) -> Iterator[Path]:
    """A copy of the folder, for a while."""
    folder = Path(tempfile.mkdtemp())  # no TemporaryDirectory: a fork would remove it at its end
    try:
        yield Path(shutil.copytree(home, folder / "home"))
    finally:
        shutil.rmtree(folder)


def begin(
    command: Sequence[str], home: Path, *, modules: Path | None = None, tell: int | None = None
) -> int:
    """Begin a command in a fork; returns its number.

    Args:
        command: words after ``locvlm``.
        home: its working folder; what it says comes into a file beside it.
        modules: file that its modules are written into.
        tell: of a pipe: BEGUN, and DONE where it has succeeded.
    """
    sys.stdout.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads that only wait do no harm
        if process := os.fork():
            return process
    code: Any = 70
    try:
        # PyTorch makes its pool anew after a fork, in whichever thread asks first, and another that
        # asks meanwhile finds none ("Invalid thread pool"): it is made while there is one thread
        torch.set_num_threads(1)
        _renew_lock(tqdm, threading.RLock())
        atexit._clear()  # what is registered is its parent's
        signal.signal(signal.SIGINT, signal.default_int_handler)  # as a shell starts commands
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.chdir(home)
        with Path(home.parent, "said").open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w") for number in (1, 2))
        sys.argv = ["locvlm", *command]
        if tell is not None:
            os.write(tell, BEGUN)
        code = locvlm()
        if modules is not None:
            modules.write_text("\n".join(sys.modules))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(BaseException):
            if tell is not None and not code:
                os.write(tell, DONE)
            atexit._run_exitfuncs()
            multiprocessing.util._exit_function()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code or 0)


def _renew_lock(bar: Any, lock: Any) -> None:
    """All forks share the lock of bars, and one that was killed may still hold it."""
    bar.set_lock(lock)
    for kind in bar.__subclasses__():
        _renew_lock(kind, lock)


def wait(process: int) -> int:
    """Its exit code; below zero: the signal that ended it."""
    end = time.monotonic() + LIMIT
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(process, signal.SIGKILL)
            end += LIMIT
        time.sleep(0.01)


def finish(command: Sequence[str], home: Path, *, modules: Path | None = None) -> None:
    """Run one that must succeed. Raises RuntimeError, with what it said."""
    if code := wait(begin(command, home, modules=modules)):
        raise RuntimeError(f"{' '.join(command)}: {code} {said(home)}")


def said(home: Path) -> str:
    """What the latest command printed."""
    return (home.parent / "said").read_text(errors="replace").strip()


def remains_in(home: Path) -> list[str]:
    """Files and folders that were not whole."""
    names = (path.relative_to(home).as_posix() for path in home.rglob("*"))
    return [name for name in names if name.endswith(LEFT) or ".locvlm-" in name.replace("/.", "/")]


def hashes(home: Path) -> dict[str, str]:
    """Of all files; what is in files whose content varies is left out."""
    return {
        path.relative_to(home).as_posix(): ""
        if any(part in VARYING for part in path.parts)
        else hashlib.sha256(_content(path).replace(str(home).encode(), b"HOME")).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file()
    }


def _content(path: Path) -> bytes:
    """Without measured seconds."""
    if path.name not in SECONDS:
        return path.read_bytes()
    tree = json.loads(path.read_bytes())
    for name in SECONDS[path.name]:
        *way, last = name.split(".")
        inner = tree
        for each in way:
            inner = inner.get(each) or {}
        inner.pop(last, None)
    return json.dumps(tree).encode()


def changed(
    before: Mapping[str, str], after: Mapping[str, str], *, also_new: bool = False
) -> list[str]:
    """Files that are gone or otherwise, or, where asked for, new."""
    names = {*before, *after} if also_new else before
    return [name for name in names if before.get(name) != after.get(name)]
