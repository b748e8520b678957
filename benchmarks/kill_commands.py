"""Kills every command at seeded moments: a rerun succeeds, to the same bytes, and tidies up.

    python benchmarks/kill_commands.py [--moments 10] [COMMAND …]

Each command runs once to its end; then, in new copies of the same folder, it is stopped by SIGINT,
SIGTERM or SIGKILL and given again. Files of the user are hashed before and after. The
model is the tests' small one, with random weights. Commands are forks of a process that has all
modules already, so the moments lie in the work. Prints one row per command. POSIX systems only.
"""

from __future__ import annotations

import argparse
import atexit
import hashlib
import importlib
import json
import os
import random
import shlex
import shutil
import signal
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}  # threads do not fork

from PIL import Image

from locvlm.__main__ import main as locvlm
from locvlm.models import tiny
from tests import conftest

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
LIMIT = 400  # seconds after which a command hangs
SUITE = "- {name: locate, task: locate, files: {annotations: ann.json}, images: photos}\n"
ANN = "--annotations ann.json --images photos"
RUN = (
    "out: {}\nmodel: tiny-base\noptions: {{bins: 56}}\ndata: [data]\nsave_steps: 1\n"
    "stages:\n  a: {}\n"
)
STAGE = "{{trains: {}, steps: {}, images: 2, questions: {{locpred: 1}}}}"
COMMANDS = {
    "train": "train recipe.yaml",
    "eval": f"eval --model learned --task locate {ANN} --limit 6 --out out",
    "prove": f"prove learned small {ANN} --tasks locate,describe --limit 4 --out out",
    "tune": "tune ann.json --images photos --model tiny-base --out out --minutes 2 "
    "--set options.bins=56 stages.tuning.steps=2",
    "build": f"build {ANN} --out out",
    "build --hold-out": f"build {ANN} --hold-out 0.2 --out out",
    "score": f"score locate --predictions first/predictions.jsonl {ANN} --out out",
    "compare": "compare first second --images photos --out out",
    "ablate": "ablate one.yaml --over location --suite suite.yaml --data . --limit 2 --seeds 1 "
    "--out out",
    "ask --save": "ask photos/000.jpg Where? --model learned --save out.png",
    "describe --save": "describe photos/000.jpg --model learned --box 10,10,90,90 --save out.png",
    "locate --save": "locate photos/000.jpg dog --model learned --save out.png",
    "import": "import talk.jsonl --from trl --format ivb --images photos --out out",
    "inspect": "inspect data --count 2 --out out",
    "export llava": "export data --to llava --out out.json",
    "export trl": "export data --to trl --with-images --out out.parquet",
    "export webdataset": "export data --to webdataset --out out",
    "convert": "convert --from ivb --to nfp talk.jsonl out.jsonl",
    "questions": f"questions describe {ANN} --format ivb --out out.jsonl",
    "pseudo animate": f"pseudo animate {ANN} --out out",
    "pseudo describe": f"pseudo describe {ANN} --model learned --limit 4 --out out.json",
    "shrink": "shrink learned --rank 2 --out out",
    "merge": "merge learned --out out",
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
    folder = Path(tempfile.mkdtemp())
    try:
        home = folder / "home"
        make_home(home)
        print("| command | seconds | kills | reruns that failed | other bytes | left | lost |")
        print("|---|--:|--:|--:|--:|--:|--:|")
        for name in given.commands:
            try:
                print(check(name, shlex.split(COMMANDS[name]), home, given.moments), flush=True)
            except SystemExit as end:  # it does not even run without a kill
                print(f"{name}: {end}", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder)


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
    (home / "recipe.yaml").write_text(RUN.format("out", STAGE.format("adapter", 3)))
    (home / "one.yaml").write_text(RUN.format("elsewhere", STAGE.format("adapter+lora", 1)))
    (home / "suite.yaml").write_text(SUITE)
    finish(shlex.split(f"build {ANN} --out data"), home, learn=True)
    base = home.parent / "base"
    conftest._model(processor := conftest._processor()).save_pretrained(base)
    processor.save_pretrained(base)
    tiny.base_folder = lambda: base
    finish(shlex.split("train one.yaml"), home, learn=True)
    (home / "elsewhere" / "model").rename(home / "learned")
    shutil.rmtree(home / "elsewhere")
    finish(shlex.split("shrink learned --rank 2 --out small"), home, learn=True)
    asked = f"--task locate {ANN} --limit 6"
    finish(shlex.split(f"eval --model learned {asked} --out first"), home, learn=True)
    finish(shlex.split(f"eval --model small {asked} --out second"), home)


def check(name: str, command: list[str], home: Path, moments: int) -> str:
    """One row of the table."""
    with copied(home) as there:
        finish(command, there, learn=True)
    with copied(home) as there:
        began = time.monotonic()
        finish(command, there)
        seconds = time.monotonic() - began
        whole = hashes(there)
    struck = failed = other = left = lost = 0
    for number in range(moments):
        rng = random.Random(f"{name}/{number}")
        with copied(home) as there:
            mine = hashes(there)
            process = begin(command, there)
            moment = (rng.uniform(0.3, 1.0) if number % 2 else rng.random()) * seconds
            time.sleep(moment)
            with suppress(ProcessLookupError):
                os.kill(process, SIGNALS[number % 3])
            struck += wait(process) != 0  # else it had ended before
            lost += any(hashes(there).get(each) != digest for each, digest in mine.items())
            place = f"{name}, {number}, {SIGNALS[number % 3].name} after {moment:.1f} s"
            if code := wait(begin(command, there)):
                failed += 1
                print(f"{place}: {code} {said(there)[-400:]}", file=sys.stderr, flush=True)
                continue
            now = hashes(there)
            lost += any(now.get(each) != digest for each, digest in mine.items())
            remains = remains_in(there)
            left += bool(remains)
            wrong = [each for each in sorted(whole | now) if now.get(each) != whole.get(each)]
            other += bool(wrong)
            if wrong or remains:
                print(f"{place}: {wrong[:6]} {remains[:3]}", file=sys.stderr, flush=True)
    return (
        f"| {name} | {seconds:.1f} | {struck} of {moments} | {failed} | {other} | {left} | {lost} |"
    )


@contextmanager
def copied(home: Path) -> Iterator[Path]:
    """A copy of the folder, for a while."""
    folder = Path(tempfile.mkdtemp())  # no TemporaryDirectory: a fork would remove it at its end
    try:
        yield Path(shutil.copytree(home, folder / "home"))
    finally:
        shutil.rmtree(folder)


def begin(command: list[str], home: Path, *, learn: bool = False) -> int:
    """Begin a command in a fork; returns its number. With `learn` it notes its modules."""
    sys.stdout.flush()
    if process := os.fork():
        return process
    code = 70
    try:
        os.chdir(home)
        with Path(home.parent, "said").open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.argv = ["locvlm", *command]
        code = locvlm()
        if learn:
            (home.parent / "modules").write_text("\n".join(sys.modules))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(BaseException):
            atexit._run_exitfuncs()
            sys.stdout.flush()
        os._exit(code)


def wait(process: int) -> int:
    """Its exit code; below zero: the signal that ended it."""
    end = time.monotonic() + LIMIT
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(process, signal.SIGKILL)
            end += LIMIT
        time.sleep(0.02)


def finish(command: list[str], home: Path, *, learn: bool = False) -> None:
    """Run one that must succeed; with `learn`, what it imports is imported here."""
    if code := wait(begin(command, home, learn=learn)):
        raise SystemExit(f"{command}: {code} {said(home)}")
    if learn:
        for name in (home.parent / "modules").read_text().splitlines():
            with suppress(Exception):
                importlib.import_module(name)


def said(home: Path) -> str:
    """What the latest command printed."""
    return (home.parent / "said").read_text(errors="replace").strip()


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
