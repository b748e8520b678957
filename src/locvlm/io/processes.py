"""Whether a process is still there: what a dead one has left is in nobody's use."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from locvlm.io.digests import digest_bytes

_OWNER = re.compile(r"([0-9a-f]{8})-(\d+)-(\d*)")  # as `name_owner` writes it


def is_alive(pid: int) -> bool:
    """Whether a process of this computer has the number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True


def birth_of(pid: int) -> str:
    """When a process began, where that can be known."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]  # proc(5): field 22, two before the name's end


def name_owner() -> str:
    """This process, as a part of a file's name: computer, number, birth."""
    pid = os.getpid()
    return f"{_this_computer()}-{pid}-{birth_of(pid)}"


def has_dead_owner(name: str) -> bool:
    """Whether a name with such a part is of a process of this computer that has ended.

    Of one on another computer nobody here can know.
    """
    found = _OWNER.search(name)
    if found is None or found[1] != _this_computer():
        return False
    pid = int(found[2])
    return not is_alive(pid) or birth_of(pid) != found[3]


def _this_computer() -> str:
    return digest_bytes(platform.node().encode())[:8]
