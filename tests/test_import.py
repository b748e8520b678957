"""`import locvlm` and the help are light: no torch, no transformers, well under a second."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "peft", "matplotlib", "pyarrow")


@pytest.mark.parametrize(
    "statement",
    ["import locvlm", "import locvlm.cli", "import locvlm.coordinates, locvlm.instructions.render"],
)
def test_nothing_heavy_is_imported(statement: str) -> None:
    code = f"import sys\n{statement}\nprint([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_import_takes_less_than_a_second() -> None:
    # Time of the processor, not of the wall, so that a busy machine does not fail the test.
    code = "import time; t = time.process_time(); import locvlm; print(time.process_time() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1
