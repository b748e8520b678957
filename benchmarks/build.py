"""A whole `locvlm build` of a file as large as COCO's train annotations, against only opening it.

    pip install pycocotools
    python benchmarks/build.py --folder /tmp/bench --repeat 3

Writes, once, a detection file of 118,287 pictures with polygons (seeded, in COCO's proportions),
then measures in turn, each in a process of its own:

    build    `locvlm build --no-images` to Parquet, the paper's three objectives
    open     `pycocotools.coco.COCO(file)`, which reads the file and indexes it

Prints wall and CPU seconds and peak memory of both and, run by run, the ratios build / open. On a
busy machine those of CPU seconds are the ones to compare.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PICTURES = 118_287
BOXES = 7.3  # mean per picture
SIZES = [(640, 480)] * 5 + [(640, 427), (480, 640), (427, 640), (500, 375), (612, 612)]
CATEGORIES = 80
POINTS = 26  # mean number of corners of a polygon


@dataclass(frozen=True)
class Cost:
    """What one process took."""

    seconds: float  # wall
    cpu: float  # seconds, with those of its children
    gigabytes: float  # peak resident memory


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"instances_{arguments.pictures}.json"
    if not file.exists():
        generate(file, arguments.pictures)
    print(f"{file.name}: {file.stat().st_size / 1e6:.0f} MB")
    print(f"{'':>6} {'wall s':^24} {'CPU s':^24} {'memory GB':^24}")
    print(f"{'':>6} " + f"{'build':>9} {'open':>8} {'ratio':>5} " * 3)
    pairs = []
    for number in range(1, arguments.repeat + 1):
        build = _run(*_build(file, folder / "built", arguments.workers))
        opened = _run(sys.executable, "-c", _OPEN, str(file))
        pairs.append((build, opened))
        print(_line(str(number), build, opened))
    middle = [
        Cost(*(statistics.median(getattr(pair[i], name) for pair in pairs) for name in _FIELDS))
        for i in (0, 1)
    ]
    print(_line("median", *middle))


_FIELDS = ("seconds", "cpu", "gigabytes")
_OPEN = "import sys; from pycocotools.coco import COCO; COCO(sys.argv[1])"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="for the file and what is built")
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--workers", type=int, default=1, help="of locvlm build")
    parser.add_argument("--repeat", type=int, default=3)
    return parser.parse_args()


def _build(file: Path, out: Path, workers: int) -> list[str]:
    command = [sys.executable, "-m", "locvlm", "build", "--annotations", str(file), "--no-images"]
    return [*command, "--out", str(out), "--workers", str(workers)]


def _run(*command: str) -> Cost:
    """Wall time and peak memory of a command with all its children."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(command)}: failed with status {status}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6)


def _line(name: str, build: Cost, opened: Cost) -> str:
    pairs = ((getattr(build, field), getattr(opened, field)) for field in _FIELDS)
    return f"{name:>6} " + " ".join(f"{a:9.2f} {b:8.2f} {a / b:5.2f}" for a, b in pairs)


def generate(file: Path, pictures: int) -> None:
    """A detection file in COCO's form and proportions, written piece by piece."""
    part = file.with_suffix(".part")
    with part.open("w") as out:
        categories = [{"id": i, "name": f"category {i}"} for i in range(1, CATEGORIES + 1)]
        out.write(f'{{"info": {{}}, "licenses": [], "categories": {json.dumps(categories)},\n')
        for name, rows in (("images", _images(pictures)), ("annotations", _annotations(pictures))):
            out.write(f'"{name}": [')
            for number, row in enumerate(rows):
                out.write((", " if number else "") + json.dumps(row))
            out.write("]" + ("," if name == "images" else "}\n"))
    part.replace(file)


def _size(picture: int) -> tuple[int, int]:
    return SIZES[picture % len(SIZES)]


def _images(pictures: int) -> Iterator[dict[str, object]]:
    for number in range(1, pictures + 1):
        width, height = _size(number)
        name = f"{number:012d}.jpg"
        yield {
            "license": 1 + number % 8,
            "file_name": name,
            "coco_url": f"http://images.example.org/train2017/{name}",
            "height": height,
            "width": width,
            "date_captured": "2013-11-14 11:18:45",
            "flickr_url": f"http://farm{number % 9}.example.org/{number:010d}_z.jpg",
            "id": number,
        }


def _annotations(pictures: int) -> Iterator[dict[str, object]]:
    """Many pictures with few boxes, few with many; small boxes are the most frequent."""
    chance = random.Random(0)
    ids = 0
    for picture in range(1, pictures + 1):
        width, height = _size(picture)
        count = min(int(chance.expovariate(1 / (BOXES + 0.5))), 90)
        kinds = [min(int(chance.expovariate(1 / 15)), CATEGORIES - 1) for _ in range(4)]
        for _ in range(count):
            ids += 1
            w = width * min(1.0, 0.02 + chance.expovariate(6))
            h = height * min(1.0, 0.02 + chance.expovariate(5))
            x, y = chance.uniform(0, width - w), chance.uniform(0, height - h)
            yield {
                "segmentation": [_polygon(chance, x, y, w, h)],
                "area": round(0.7 * w * h, 4),
                "iscrowd": int(chance.random() < 0.01),
                "image_id": picture,
                "bbox": [round(value, 2) for value in (x, y, w, h)],
                "category_id": 1 + chance.choice(kinds),
                "id": ids,
            }


def _polygon(chance: random.Random, x: float, y: float, w: float, h: float) -> list[float]:
    corners = max(4, int(chance.gauss(POINTS, 8)))
    turns = (2 * math.pi * i / corners for i in range(corners))
    places = ((x + w * (1 + math.cos(t)) / 2, y + h * (1 + math.sin(t)) / 2) for t in turns)
    return [round(value, 2) for place in places for value in place]


if __name__ == "__main__":
    main()
