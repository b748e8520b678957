"""Ctrl-C for real processes, as a terminal sends it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

LIMIT = 3.0  # seconds; two are promised, and a busy machine is no failure
READY = "it is ready"
LONG = 4000  # side of a matrix whose singular values take minutes: one call of C
SHORT = 1000  # about a second

# Runs the command line with one call of a function made long
_SLOWLY = """
import importlib, json, sys
from locvlm.__main__ import main
where, name, call, side, arguments = json.loads(sys.argv[1])
sys.argv = ["locvlm", *arguments]
import torch
torch.set_num_threads(1)
place = importlib.import_module(where)
*path, last = name.split(".")
for part in path:
    place = getattr(place, part)
function, calls = getattr(place, last), 0
def slow(*args, **kwargs):
    global calls
    calls += 1
    if calls == call:
        matrix = torch.rand(side, side).double()
        print("it is ready", flush=True)
        torch.linalg.svd(matrix)
    return function(*args, **kwargs)
setattr(place, last, slow)
sys.exit(main())
"""


def begin(code: str, *arguments: str, cwd: Path) -> "subprocess.Popen[str]":
    """Starts Python code in a group of its own; returns once it says READY."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        start_new_session=True,
        preexec_fn=_hear,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if READY in line:
            break
    time.sleep(0.3)  # until it is in the middle of it
    return process


def _hear() -> None:
    """What was begun in the background is deaf to Ctrl-C, and so would be the tests' processes."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def command(
    arguments: Sequence[str], slow: str, cwd: Path, *, call: int = 1, side: int = LONG
) -> "subprocess.Popen[str]":
    """A command in which a call of the function `module:name` takes long, and has begun to."""
    where, name = slow.split(":")
    given: list[Any] = [where, name, call, side, list(arguments)]
    return begin(_SLOWLY, json.dumps(given), cwd=cwd)


def interrupt(process: "subprocess.Popen[str]") -> tuple[int, str, float]:
    """Returns exit code, what was said on standard error, and seconds."""
    start = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    try:
        _, said = process.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    return process.returncode, said, time.monotonic() - start


def left(group: int) -> bool:
    """Whether any process of a group is left, after a moment."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.05)
    return True
