"""How a build scales with workers and engines.

    pip install 'locvlm[ray]'
    python benchmarks/engines.py --folder /tmp/bench --repeat 2

Uses the detection file of `benchmarks/build.py` (made once), and measures in turn, each in a
process of its own: the engines local and ray with 1 and 2 workers. Prints of the whole
`locvlm build --no-images` wall seconds, CPU seconds and the highest memory of all its processes
together (shared pages once); and of the work alone, apart from reading the file and from starting
the workers, pictures per second and their ratio to those of local 1 in the same round. All builds
must give the same files. Linux only.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import hashlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from build import PICTURES, generate

from locvlm.annotations.coco import read_coco
from locvlm.instructions.build import AT_ONCE, Settings, _parts
from locvlm.instructions.engines import Engine

ENGINES = ("local 1", "local 2", "ray 1", "ray 2")
EVERY = 0.2  # seconds between looks at the processes
TICKS = os.sysconf("SC_CLK_TCK")  # of CPU time, per second
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER: processes that leave their parents become ours


@dataclass(frozen=True)
class Cost:
    """What a command and all processes that it started took."""

    seconds: float  # wall
    cpu: float  # seconds
    gigabytes: float  # highest sum over the processes
    output: str


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="for the file and what is built")
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--engines", nargs="+", default=ENGINES, help="such as 'local 4'")
    parser.add_argument("--work", metavar="ENGINE", help="measure the work alone, once, here")
    options = parser.parse_args()
    file = options.folder / f"instances_{options.pictures}.json"
    if options.work:
        print(pictures_per_second(file, *options.work.split()))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        generate(file, options.pictures)
    print("engine      wall s   CPU s  memory GB  pictures/s  ratio")
    digests = set()
    for _ in range(options.repeat):
        first = 0.0
        for name in options.engines:
            out = options.folder / name.replace(" ", "-")
            whole = cost(_build(file, out, *name.split()))
            digests.add(tuple(_digest(path) for path in sorted(out.iterdir())))
            speed = float(cost([*_work(options.folder, options.pictures), name]).output)
            first = first or speed
            print(
                f"{name:10} {whole.seconds:7.1f} {whole.cpu:7.1f} {whole.gigabytes:10.2f} "
                f"{speed:11.0f} {speed / first:6.2f}",
                flush=True,
            )
    if len(digests) > 1:
        raise SystemExit("the builds differ")


def pictures_per_second(file: Path, engine: str, workers: str) -> float:
    """Of the rows of all pictures, from the first batch that is done to the last."""
    data = read_coco(file)
    gc.freeze()  # as a build does
    times = [
        time.perf_counter() for _ in _parts(data, Settings(), cast(Engine, engine), int(workers))
    ]
    return (len(data.images) - AT_ONCE) / (times[-1] - times[0])


def cost(command: list[str]) -> Cost:
    """Run a command, and look at it and all processes below it until it ends."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    cpu: dict[int, float] = {}
    gigabytes, seen = 0.0, set(_descendants()) - {child.pid}  # those of commands before
    while child.poll() is None:
        time.sleep(EVERY)
        here = {process: stat for process, stat in _descendants().items() if process not in seen}
        cpu |= {process: (int(stat[11]) + int(stat[12])) / TICKS for process, stat in here.items()}
        gigabytes = max(gigabytes, sum(map(_gigabytes, here)))
    seconds = time.perf_counter() - start
    if child.returncode:
        raise SystemExit(f"{' '.join(command)}: failed with status {child.returncode}")
    assert child.stdout is not None
    return Cost(seconds, sum(cpu.values()), gigabytes, child.stdout.read())


def _descendants() -> dict[int, list[str]]:
    """All processes below this one, with the fields of their /proc/…/stat after the name."""
    below: dict[int, dict[int, list[str]]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = path.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        below.setdefault(int(stat[1]), {})[int(path.parent.name)] = stat
    found: dict[int, list[str]] = {}
    parents = [os.getpid()]
    for parent in parents:  # grows as it goes
        found |= below.get(parent, {})
        parents += below.get(parent, {})
    return found


def _gigabytes(process: int) -> float:
    """Its memory; pages shared with others in equal parts."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:  # it ended meanwhile
        return 0.0
    return sum(float(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e6


def _build(file: Path, out: Path, engine: str, workers: str) -> list[str]:
    command = [sys.executable, "-m", "locvlm", "build", "--annotations", str(file), "--no-images"]
    return [*command, "--out", str(out), "--engine", engine, "--workers", workers]


def _work(folder: Path, pictures: int) -> list[str]:
    command = [sys.executable, __file__, "--folder", str(folder), "--pictures", str(pictures)]
    return [*command, "--work"]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main()
