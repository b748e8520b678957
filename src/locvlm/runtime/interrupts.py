"""Ctrl-C is answered within two seconds, whatever the main thread is doing.

Python calls its own handlers between two of its instructions, and a backward pass is one of them:
minutes may pass. So a thread listens as well. Python's C handler writes each signal's number into a
pipe at once (`signal.set_wakeup_fd`), and PyTorch computes without the interpreter's lock, so the
thread can speak, and end the process, meanwhile. What is left then is what a kill leaves.

    Ctrl-C ─► KeyboardInterrupt in the main thread, which tidies up and ends ─┐
         └──► the listening thread: still there after GRACE? ─────────────────┴─► "stopped", 130
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from locvlm.shown.terminal import show_line

CODE = 130  # of a process that Ctrl-C has ended
GRACE = 1.2  # seconds that a command has to tidy up
GOES_ON = "the same command goes on from here"
_SHOW_CURSOR = "\x1b[?25h"  # which a bar hides

Answer = Callable[[signal.Signals], None]


class Listener:
    """A thread that hears signals as they come, and has the latest answer deal with them.

    Args:
        hint: how to go on after a command was stopped; "" where there is nothing to go on from.
    """

    def __init__(self, hint: str = ""):
        self.hint = hint
        self.answers: list[Answer] = [self._end_soon]
        self._reported = False
        self._timer: threading.Timer | None = None
        self._reads, self._writes = os.pipe()
        os.set_blocking(self._writes, False)
        signal.set_wakeup_fd(self._writes, warn_on_full_buffer=False)
        threading.Thread(target=self._listen, name="interrupts", daemon=True).start()

    def stopped(self) -> None:
        """Say that the command was stopped, once."""
        if self._reported:
            return
        self._reported = True
        print_message("stopped" + (f"; {self.hint}" if self.hint else ""))

    def end(self) -> None:
        """End this process and those it has begun, now. Does not return."""
        self.stopped()
        end_children()
        os._exit(CODE)

    def _listen(self) -> None:
        while heard := os.read(self._reads, 1):
            self.answers[-1](signal.Signals(heard[0]))

    def _end_soon(self, number: signal.Signals) -> None:
        """The second time at once."""
        if number != signal.SIGINT:
            return
        if self._timer is not None:
            self.end()
        self._timer = threading.Timer(GRACE, self.end)
        self._timer.daemon = True
        self._timer.start()


_listener: Listener | None = None  # of this process


def listen(hint: str = "") -> None:
    """From now on, this process ends soon after Ctrl-C. For programs, not for libraries."""
    global _listener
    _listener = Listener(hint)


def set_resume_hint(hint: str) -> None:
    """From now on, say so where this process is stopped; nothing without `listen`."""
    if _listener is not None:
        _listener.hint = hint


def report_stopped() -> int:
    """What is said and returned by a program that a KeyboardInterrupt has ended."""
    if _listener is None:
        print_message("stopped")
    else:
        _listener.stopped()
    return CODE


def end() -> None:
    """End the program now; without `listen` this is the caller's business, and nothing happens."""
    if _listener is not None:
        _listener.end()


@contextmanager
def answer_signals(answer: Answer) -> Iterator[None]:
    """While it lasts, the listening thread deals with signals so; nothing without `listen`."""
    if _listener is None:
        yield
        return
    _listener.answers.append(answer)
    try:
        yield
    finally:
        _listener.answers.remove(answer)


def print_message(words: str) -> None:
    """A line on standard error, where a bar may be."""
    cursor = _SHOW_CURSOR if sys.stderr.isatty() else ""
    with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
        print(f"{cursor}\nlocvlm: {show_line(words)}", file=sys.stderr, flush=True)


def end_children() -> None:
    """Kill the worker processes of this one."""
    if "multiprocessing" in sys.modules:
        from multiprocessing import active_children

        for child in active_children():
            child.kill()


def _forget_listener() -> None:
    """A child's signals are no news for its parent."""
    global _listener
    if _listener is not None:
        signal.set_wakeup_fd(-1)
        _listener = None


os.register_at_fork(after_in_child=_forget_listener)
