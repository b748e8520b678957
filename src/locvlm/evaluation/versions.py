"""Of what an evaluation ran on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("locvlm", "torch", "transformers", "peft", "numpy", "pillow")  # whose versions are kept


def read_versions() -> dict[str, str]:
    """Of Python and the libraries that are installed, by name."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
