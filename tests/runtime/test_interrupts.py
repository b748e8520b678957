"""Ctrl-C, sent to real processes: within two seconds, one line, no orphan."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from locvlm.runtime import interrupts
from tests import interrupting
from tests.interrupting import LIMIT, READY, interrupt, left

LISTENING = "from locvlm.runtime import interrupts; interrupts.listen('go on'); import time, sys\n"
# One call of C that has let go of the interpreter's lock, as a backward pass has
BUSY = "import torch; torch.set_num_threads(1); a = torch.rand(3000, 3000).double()\n"
LONG = f"print('{READY}', flush=True); torch.linalg.svd(a)\n"

Begin = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    return partial(interrupting.begin, cwd=tmp_path)


def test_in_the_middle_of_a_long_call(begin: Begin) -> None:
    code, said, seconds = interrupt(begin(LISTENING + BUSY + LONG))
    assert (code, said) == (130, "\nlocvlm: stopped; go on\n")
    assert seconds < LIMIT


def test_without_it_the_call_is_waited_for(begin: Begin) -> None:
    """What the thread is for."""
    process = begin(BUSY + LONG)
    os.killpg(process.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=interrupts.GRACE + 0.5)
    process.kill()
    process.communicate()


def test_a_command_has_time_to_tidy_up(begin: Begin, tmp_path: Path) -> None:
    code = f"""
try:
    print('{READY}', flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    open('tidy', 'w').close()
    sys.exit(interrupts.report_stopped())
"""
    code, said, seconds = interrupt(begin(LISTENING + code))
    assert (code, said) == (130, "\nlocvlm: stopped; go on\n")
    assert (tmp_path / "tidy").exists()
    assert seconds < LIMIT


def test_but_not_for_ever(begin: Begin) -> None:
    """And the line is said once."""
    code = f"""
try:
    print('{READY}', flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    interrupts.report_stopped()
    time.sleep(60)
"""
    code, said, seconds = interrupt(begin(LISTENING + code))
    assert (code, said) == (130, "\nlocvlm: stopped; go on\n")
    assert seconds < LIMIT


def test_threads_that_wait_hold_nothing_up(begin: Begin) -> None:
    """The interpreter waits for them at its end."""
    code = f"""
import threading
threading.Thread(target=time.sleep, args=(60,)).start()
try:
    print('{READY}', flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    sys.exit(interrupts.report_stopped())
"""
    code, _, seconds = interrupt(begin(LISTENING + code))
    assert code == 130
    assert seconds < LIMIT


def test_a_second_one_does_not_wait(begin: Begin) -> None:
    process = begin(LISTENING + "interrupts.GRACE = 60\n" + BUSY + LONG)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.5)  # one that is not noticed yet would be the same signal
    code, said, seconds = interrupt(process)
    assert (code, said) == (130, "\nlocvlm: stopped; go on\n")
    assert seconds < LIMIT


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_no_worker_is_left(begin: Begin, method: str) -> None:
    code = f"""
import multiprocessing as m
m.get_context('{method}').Process(target=time.sleep, args=(60,)).start()
time.sleep(1)
"""
    process = begin(LISTENING + BUSY + code + LONG)
    os.kill(process.pid, signal.SIGINT)  # not to the worker
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert not left(process.pid)


@pytest.mark.parametrize(
    "work",
    [
        "parallel.engines import map_in_order; list(map_in_order(time.sleep, [60] * 9, workers=2))",
        "parallel.workers import map_as_completed as do; list(do(time.sleep, [60] * 9, workers=2))",
    ],
)
@pytest.mark.parametrize("group", [True, False])
def test_workers_are_not_waited_for(begin: Begin, work: str, group: bool) -> None:
    code = f"""
import threading
def tell():
    time.sleep(3)  # they have begun by then
    print('{READY}', flush=True)
threading.Thread(target=tell, daemon=True).start()
try:
    from locvlm.{work}
except KeyboardInterrupt:
    sys.exit(interrupts.report_stopped())
"""
    process = begin(LISTENING + code)
    start = time.monotonic()
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert time.monotonic() - start < LIMIT
    assert (process.returncode, said) == (130, "\nlocvlm: stopped; go on\n")
    assert not left(process.pid)


def test_a_forked_worker_speaks_for_itself(begin: Begin) -> None:
    """What the terminal sends to it is no second Ctrl-C for its parent."""
    code = f"""
import os, signal
interrupts._listener.answers.append(lambda number: print('heard', flush=True))
signal.signal(signal.SIGINT, lambda *_: None)
if os.fork() == 0:
    time.sleep(2)
    os._exit(0)
print('{READY}', flush=True)
os.wait()
"""
    process = begin(LISTENING + code)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert out.count("heard") == 1


def test_a_library_is_left_alone() -> None:
    assert interrupts._listener is None
    interrupts.end()
    with interrupts.answer_signals(lambda number: None):
        pass


@pytest.mark.parametrize(
    ("arguments", "where", "hint"),
    [
        (["train", "x"], "training.train", f"; {interrupts.GOES_ON}"),
        (["shrink", "x", "--rank", "1", "--out", "x"], "publishing.shrink", ""),
    ],
)
def test_the_program_says_how_to_go_on(
    begin: Begin, arguments: list[str], where: str, hint: str
) -> None:
    code = f"""
import sys, time, types
sys.argv = ['locvlm', *{arguments}]
def slow(*_):
    print('{READY}', flush=True)
    time.sleep(60)
work = sys.modules['locvlm.{where}'] = types.ModuleType('work')
work.train_recipe = work.shrink = slow
sys.modules['locvlm.training.recipe_file'] = work
work.read_recipe = lambda *_: None
from locvlm.__main__ import main
sys.exit(main())
"""
    code, said, _ = interrupt(begin(code))
    assert (code, said) == (130, f"\nlocvlm: stopped{hint}\n")


def test_there_is_nothing_to_go_on_from_yet(begin: Begin) -> None:
    """While the arguments are read."""
    code = f"""
import sys, time
sys.argv = ['locvlm', 'train', 'x']
from locvlm import cli
def slow(*_):
    print('{READY}', flush=True)
    time.sleep(60)
cli._parse = slow
from locvlm.__main__ import main
sys.exit(main())
"""
    code, said, _ = interrupt(begin(code))
    assert (code, said) == (130, "\nlocvlm: stopped\n")
