"""How `locvlm pseudo detect` scales with workers and engines.

    pip install 'locvlm[detect,ray]'
    python benchmarks/pseudo.py --images photos --folder /tmp/bench --repeat 2

Uses the detector ssd with one thread per worker, on links to the photos in the folder, each several
times under another name, and measures in turn the engines local and ray with 1 and 2 workers:

    work     from when a tenth of the parts is done, so without starting workers and loading:
             pictures per second and their ratio to those of the first engine of the round, both
             of which others on the machine change; and what they hardly change: the CPU time of a
             picture, and the share of the time that workers have one to work on
    detect   the whole command: wall seconds, CPU seconds, and the highest memory of all its
             processes together, shared pages once

All files of detections must be the same. Linux only.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

from engines import ENGINES, cost

from locvlm.media.image_files import IMAGE_SUFFIXES
from locvlm.parallel.workers import Place, map_as_completed
from locvlm.pseudo.detect import BATCH_SIZE, DetectOptions, _detect_files
from locvlm.pseudo.detection_file import list_files

PICTURES = 2400
ONE_THREAD = {"OPENCV_FOR_THREADS_NUM": "1", "OMP_NUM_THREADS": "1"}  # read when cv2 is imported


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="folder of photos")
    parser.add_argument("--folder", type=Path, required=True, help="for links and results")
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--engines", nargs="+", default=ENGINES, help="such as 'local 4'")
    parser.add_argument("--work-only", action="store_true", help="no whole commands")
    options = parser.parse_args()
    os.environ.update(ONE_THREAD)
    links = options.folder / "links"
    _link(options.images, links, options.pictures)
    _works(links, options.engines, options.repeat)
    if not options.work_only:
        _commands(links, options.engines, options.repeat)


def _link(images: Path, links: Path, count: int) -> None:
    photos = sorted(path for path in images.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    links.mkdir(parents=True)
    for number in range(count):
        photo = photos[number % len(photos)].resolve()
        (links / f"{number:06d}{photo.suffix}").symlink_to(photo)


def _works(images: Path, engines: Sequence[str], repeat: int) -> None:
    print("work        pictures/s  ratio  CPU ms per picture  busy", flush=True)
    for _ in range(repeat):
        first = None
        for name in engines:
            speed, cpu, busy = work(images, *name.split())
            first = first or speed
            figures = f"{speed:11.1f} {speed / first:6.2f} {cpu:19.1f} {busy:5.0%}"
            print(f"{name:10} {figures}", flush=True)


def work(images: Path, engine: str, workers: str) -> tuple[float, float, float]:
    """Pictures per second, CPU milliseconds of a picture, and how busy the workers are."""
    names = list_files(images, IMAGE_SUFFIXES, "picture")
    batches = [names[start : start + BATCH_SIZE] for start in range(0, len(names), BATCH_SIZE)]
    done = map_as_completed(
        partial(_timed, images),
        batches,
        engine=cast(Place, engine),
        workers=int(workers),
        gpu=False,
    )
    times, costs = zip(*((time.perf_counter(), cost) for _, cost in done), strict=True)
    if engine == "ray":
        import ray

        ray.shutdown()  # the next one may have other workers
    begin = len(times) // 10
    pictures, wall = BATCH_SIZE * (len(times) - 1 - begin), times[-1] - times[begin]
    cpu, inside = (sum(part) for part in zip(*costs[begin + 1 :], strict=True))
    return pictures / wall, 1000 * cpu / pictures, inside / wall / int(workers)


def _timed(images: Path, names: Sequence[str]) -> tuple[float, float]:
    """CPU and wall seconds of a part."""
    cpu, wall = time.process_time(), time.perf_counter()
    _detect_files(DetectOptions(), images, names)
    return time.process_time() - cpu, time.perf_counter() - wall


def _commands(images: Path, engines: Sequence[str], repeat: int) -> None:
    print("detect      wall s   CPU s  memory GB", flush=True)
    seen = set()
    for name in [*engines] * repeat:
        out = images.parent / f"{name.replace(' ', '-')}.json"
        took = cost(_command(images, out, *name.split()))
        print(f"{name:10} {took.seconds:7.1f} {took.cpu:7.1f} {took.gigabytes:10.2f}", flush=True)
        seen.add(out.read_bytes())
    if len(seen) > 1:
        raise SystemExit("the detections differ")


def _command(images: Path, out: Path, engine: str, workers: str) -> list[str]:
    command = [sys.executable, "-m", "locvlm", "pseudo", "detect", "--images", str(images)]
    return [*command, "--out", str(out), "--engine", engine, "--workers", workers]


if __name__ == "__main__":
    main()
