"""How PyTorch's threads wait for each other.

Thousands of times a second they share out a small piece of work and wait for the last to finish.
GNU's OpenMP, which the wheels for Linux use, lets them spin for some 15 ms. Where something else
runs on the same cores, the thread that is waited for is often not running at all, and a whole turn
of the scheduler is burnt each time: an answer takes 10 times as long and more. So they spin only a
little longer than the gap to the next piece of work, then sleep.
"""

from __future__ import annotations

import os

SPINS = "1000"  # some 0.05 ms; its own choice where there are more threads than cores


def wait_politely() -> None:
    """Before PyTorch is imported; child processes inherit it. Nothing if the user has decided."""
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & set(os.environ):
        os.environ["GOMP_SPINCOUNT"] = SPINS
