"""Kills every command at seeded moments: a rerun succeeds, to the same bytes, and tidies up.

    python benchmarks/kill_commands.py [--moments 10] [COMMAND …]

Each command runs once to its end; then, in new copies of the same folder, it is stopped by SIGINT,
SIGTERM or SIGKILL and given again. Files of the user are hashed before and after. Models are
LocVLM-Tiny, or the two-step training of a tiny one. Prints one row per command.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
ANN = ["--annotations", "ann.json", "--images", "photos"]
COMMANDS: dict[str, list[str]] = {
    "build": ["build", *ANN, "--out", "out"],
    "import": [
        "import",
        "talk.jsonl",
        "--from",
        "trl",
        "--format",
        "ivb",
        "--images",
        "photos",
        "--out",
        "out",
    ],
    "inspect": ["inspect", "data", "--count", "2", "--out", "out"],
    "export llava": ["export", "data", "--to", "llava", "--out", "out.json"],
    "export trl": ["export", "data", "--to", "trl", "--with-images", "--out", "out.parquet"],
    "export webdataset": ["export", "data", "--to", "webdataset", "--out", "out"],
    "convert": ["convert", "--from", "ivb", "--to", "nfp", "talk.jsonl", "out.jsonl"],
    "questions": ["questions", "describe", *ANN, "--format", "ivb", "--out", "out.jsonl"],
    "pseudo animate": ["pseudo", "animate", *ANN, "--out", "out"],
    "pseudo describe": ["pseudo", "describe", *ANN, "--limit", "8", "--out", "out.json"],
    "eval": ["eval", "--model", "tiny", "--task", "locate", *ANN, "--limit", "6", "--out", "out"],
    "train": ["train", "recipe.yaml"],
    "shrink": ["shrink", "tiny", "--rank", "2", "--out", "out"],
    "merge": ["merge", "tiny", "--out", "out"],
    "locate --save": ["locate", "photos/000.jpg", "dog", "--save", "out.png"],
}
# Times and the like, which differ from run to run
VARYING = ("log.jsonl", "trainer_state.json", "training_args.bin", "loss.png", "features")
LEFT = (".part", ".parts", ".new", ".lock")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("commands", nargs="*", default=list(COMMANDS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        make_home(home)
        print("| command | seconds | kills | reruns that failed | other bytes | left | lost |")
        print("|---|--:|--:|--:|--:|--:|--:|")
        for name in given.commands:
            print(check(name, COMMANDS[name], home, given.moments), flush=True)


def make_home(home: Path, count: int = 60) -> None:
    """Photos with boxes of two kinds, a data set, a recipe, and a text file of records."""
    (home / "photos").mkdir(parents=True)
    rng = random.Random(0)
    images, boxes, records = [], [], []
    for number in range(count):
        name = f"{number:03}.jpg"
        color = tuple(rng.randrange(256) for _ in range(3))
        Image.new("RGB", (320, 240), color).save(home / "photos" / name)
        size = {"width": 320, "height": 240}
        images.append({"id": number, "file_name": name, **size})
        for kind in (1, 2):
            box = [rng.randrange(100), rng.randrange(100), 90, 80]
            boxes.append({"id": len(boxes), "image_id": number, "category_id": kind, "bbox": box})
        records.append({"images": [name], "prompt": "Where?", "completion": "(4,4,20,20)", **size})
    categories = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    whole = {"images": images, "annotations": boxes, "categories": categories}
    (home / "ann.json").write_text(json.dumps(whole))
    (home / "talk.jsonl").write_text("".join(json.dumps(row) + "\n" for row in records * 50))
    (home / "recipe.yaml").write_text(
        "model: tiny\ndata: [data]\nout: out\nsave_steps: 1\n"
        "stages:\n  a: {trains: adapter, steps: 3, images: 2, questions: {locpred: 1}}\n"
    )
    finish(run(["build", *ANN, "--out", "data"], home))


def check(name: str, command: list[str], home: Path, moments: int) -> str:
    """One row of the table."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder, "home")
        shutil.copytree(home, there)
        finish(run(command, there))
        seconds = time.monotonic() - began
        whole = hashes(there)
    failed = other = left = lost = 0
    for number in range(moments):
        rng = random.Random(f"{name}/{number}")
        with tempfile.TemporaryDirectory() as folder:
            there = Path(folder, "home")
            shutil.copytree(home, there)
            mine = hashes(there)
            process = run(command, there)
            time.sleep(rng.uniform(0.3, 1.0) * seconds if number % 2 else rng.random() * seconds)
            process.send_signal(SIGNALS[number % 3])
            process.communicate()
            lost += any(hashes(there).get(each) != digest for each, digest in mine.items())
            again = run(command, there)
            said = again.communicate()[1]
            if again.returncode:
                failed += 1
                print(f"{name}, {number}: {said.strip().splitlines()[-1:]}", file=sys.stderr)
                continue
            now = hashes(there)
            lost += any(now.get(each) != digest for each, digest in mine.items())
            remains = remains_in(there)
            left += bool(remains)
            wrong = [each for each in whole | now if now.get(each) != whole.get(each)]
            other += bool(wrong)
            if wrong or remains:
                print(f"{name}, {number}: {wrong[:3]} {remains[:3]}", file=sys.stderr)
    return f"| {name} | {seconds:.1f} | {moments} | {failed} | {other} | {left} | {lost} |"


def run(command: list[str], home: Path) -> subprocess.Popen[str]:
    """Begin a command."""
    return subprocess.Popen(
        [sys.executable, "-m", "locvlm", *command],
        cwd=home,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for one that must succeed."""
    said = process.communicate()[1]
    if process.returncode:
        raise SystemExit(f"{process.args}: {said}")


def remains_in(home: Path) -> list[str]:
    """Files and folders that were not whole."""
    names = (path.relative_to(home).as_posix() for path in home.rglob("*"))
    return [name for name in names if name.endswith(LEFT) or ".locvlm-" in name.replace("/.", "/")]


def hashes(home: Path) -> dict[str, str]:
    """Of all files, and what is in files whose content varies is left out."""
    return {
        path.relative_to(home).as_posix(): ""
        if any(part in VARYING for part in path.parts)
        else hashlib.sha256(path.read_bytes().replace(str(home).encode(), b"HOME")).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file()
    }


if __name__ == "__main__":
    main()
