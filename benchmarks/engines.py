"""How a build scales with workers and engines.

    pip install 'locvlm[ray]'
    python benchmarks/engines.py --folder /tmp/bench --repeat 3

Uses the detection file of `benchmarks/build.py` (made once) and measures, in turn, the engines
local and ray with 1 and 2 workers:

    build    the whole `locvlm build --no-images`: wall seconds, CPU seconds, and the highest memory
             of all its processes together, shared pages once
    work     the rows of all pictures alone, without reading the file, starting workers or writing:
             pictures per second, their ratio to those of the first engine of the round, and what
             the process that hands out costs: with any number of workers it is one

All builds must give the same files. Linux only.
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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from build import PICTURES, generate

from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.coco import read_coco
from locvlm.instructions.build import PAPER_OBJECTIVES, QuestionOptions
from locvlm.instructions.question_rows import AT_ONCE, make_rows
from locvlm.parallel.engines import Engine

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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="for the file and what is built")
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--engines", nargs="+", default=ENGINES, help="such as 'local 4'")
    parser.add_argument("--objectives", nargs="+", default=PAPER_OBJECTIVES)
    parser.add_argument("--work-only", action="store_true", help="no whole builds")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / f"instances_{options.pictures}.json"
    if not file.exists():
        generate(file, options.pictures)
    if not options.work_only:
        _builds(file, options.engines, options.objectives, options.repeat)
    _works(file, options.engines, options.objectives, options.repeat)


def _builds(file: Path, engines: Sequence[str], objectives: Sequence[str], repeat: int) -> None:
    print("build       wall s   CPU s  memory GB", flush=True)
    digests = set()
    for name in [*engines] * repeat:
        out = file.parent / name.replace(" ", "-")
        took = cost(_command(file, out, objectives, *name.split()))
        print(f"{name:10} {took.seconds:7.1f} {took.cpu:7.1f} {took.gigabytes:10.2f}", flush=True)
        digests.add(tuple(_digest(path) for path in sorted(out.iterdir())))
    if len(digests) > 1:
        raise SystemExit("the builds differ")


def _works(file: Path, engines: Sequence[str], objectives: Sequence[str], repeat: int) -> None:
    data = read_coco(file)
    gc.freeze()  # as a build does
    print("work        pictures/s  ratio  here, CPU ms per 1000 pictures", flush=True)
    for _ in range(repeat):
        works = [work(data, objectives, *name.split()) for name in engines]
        for name, (speed, here) in zip(engines, works, strict=True):
            print(f"{name:10} {speed:11.0f} {speed / works[0][0]:6.2f} {here:8.0f}", flush=True)


def work(
    data: AnnotationSet, objectives: Sequence[str], engine: str, workers: str
) -> tuple[float, float]:
    """Pictures per second, and CPU milliseconds of this process per 1000 pictures."""
    options = QuestionOptions(tuple(objectives))
    parts = make_rows(data, options, cast(Engine, engine), int(workers))
    times = [(time.perf_counter(), time.process_time()) for _ in parts]
    if engine == "ray":
        import ray

        ray.shutdown()  # the next one may have other workers
    pictures = len(data.images) - AT_ONCE  # from the first batch that is done to the last
    wall, cpu = (end - start for start, end in zip(times[0], times[-1], strict=True))
    return pictures / wall, 1e6 * cpu / pictures


def cost(command: list[str]) -> Cost:
    """Run a command, and look at it and all processes below it until it ends."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
    return Cost(seconds, sum(cpu.values()), gigabytes)


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


def _command(
    file: Path, out: Path, objectives: Sequence[str], engine: str, workers: str
) -> list[str]:
    command = [sys.executable, "-m", "locvlm", "build", "--annotations", str(file), "--no-images"]
    command += ["--out", str(out), "--objectives", ",".join(objectives)]
    return [*command, "--engine", engine, "--workers", workers]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main()
