import os
import subprocess
import sys

import pytest

from locvlm.runtime.threads import SPINS


def spins_after(code: str, **given: str) -> str:
    """What OpenMP finds in a new process, once `code` has run."""
    environment = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT",)}
    code += "; import os; print(os.environ.get('GOMP_SPINCOUNT'))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment | given, stdout=subprocess.PIPE, check=True
    )
    return done.stdout.decode().strip()


def test_set_before_torch_is_there():
    code = "import locvlm, sys; assert 'torch' not in sys.modules"
    assert spins_after(code) == SPINS


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "active"}, "None"),
    ],
)
def test_the_user_decides(given: dict[str, str], left: str):
    assert spins_after("import locvlm", **given) == left
