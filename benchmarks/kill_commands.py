"""Kills every command at seeded moments: a rerun succeeds, to the same bytes, and tidies up.

    python benchmarks/kill_commands.py [--moments 10] [COMMAND …]

Each command runs once to its end; then, in new copies of the same folder, it is stopped by SIGINT,
SIGTERM or SIGKILL and given again. Only kills that came while it ran are counted as struck; one
that came too late is drawn again, some times. Files of the user are hashed before and after. The
model is the tests' small one, with random weights. Prints one row per command. POSIX systems only.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import shlex
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}  # threads do not fork

from PIL import Image

from locvlm.models import tiny
from tests import conftest
from tests.killing import copied, finish, kill_often

SUITE = "- {name: locate, task: locate, files: {annotations: ann.json}, images: photos}\n"
ANN = "--annotations ann.json --images photos"
FEW = 20  # photos of the longest command
RUN = (
    "out: {}\nmodel: tiny-base\noptions: {{bins: 56}}\ndata: [data]\nsave_steps: 1\n"
    "stages:\n  a: {}\n"
)
STAGE = "{{trains: {}, steps: {}, images: 2, questions: {{locpred: 1}}}}"
COMMANDS = {
    "train": "train recipe.yaml",
    "eval": f"eval --model learned --task locate {ANN} --limit 6 --out out",
    "prove": f"prove learned small {ANN} --tasks locate,describe --limit 4 --out out",
    # What a clock decides is given: so many minutes leave nothing out, and looks are set
    "tune": "tune few.json --images photos --model tiny-base --out out --minutes 900 "
    "--set options.bins=56 stages.tuning.steps=2 validation.steps=1 validation.images=4 "
    "validation.questions=4",
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
        print("| command | seconds | struck | reruns that failed | other bytes | left | lost |")
        print("|---|--:|--:|--:|--:|--:|--:|")
        for name in given.commands:
            try:
                print(check(name, shlex.split(COMMANDS[name]), home, given.moments), flush=True)
            except RuntimeError as error:  # it does not even run without a kill
                print(f"{name}: {error}", file=sys.stderr, flush=True)
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
    part = {"images": images[:FEW], "annotations": [b for b in boxes if b["image_id"] < FEW]}
    (home / "few.json").write_text(json.dumps(whole | part))
    (home / "talk.jsonl").write_text("".join(json.dumps(row) + "\n" for row in records * 50))
    (home / "recipe.yaml").write_text(RUN.format("out", STAGE.format("adapter", 3)))
    (home / "one.yaml").write_text(RUN.format("elsewhere", STAGE.format("adapter+lora", 1)))
    (home / "suite.yaml").write_text(SUITE)
    learn(shlex.split(f"build {ANN} --out data"), home)
    base = home.parent / "base"
    conftest._model(processor := conftest._processor()).save_pretrained(base)
    processor.save_pretrained(base)
    tiny.base_folder = lambda: base
    learn(shlex.split("train one.yaml"), home)
    (home / "elsewhere" / "model").rename(home / "learned")
    shutil.rmtree(home / "elsewhere")
    learn(shlex.split("shrink learned --rank 2 --out small"), home)
    asked = f"--task locate {ANN} --limit 6"
    learn(shlex.split(f"eval --model learned {asked} --out first"), home)
    learn(shlex.split(f"eval --model small {asked} --out second"), home)


def check(name: str, command: list[str], home: Path, moments: int) -> str:
    """One row of the table; what is wrong is said on standard error."""
    with copied(home) as there:
        learn(command, there)
    kills = kill_often(command, home, moments, name)
    for words in kills.wrong:
        print(words, file=sys.stderr, flush=True)
    counts = map(len, (kills.failed, kills.differing, kills.left, kills.lost))
    return (
        " | ".join(
            [
                "| " + name,
                f"{kills.seconds:.1f}",
                f"{kills.struck} of {kills.sent}",
                *map(str, counts),
            ]
        )
        + " |"
    )


def learn(command: list[str], home: Path) -> None:
    """Run a command; what it imports is imported here, so that later moments lie in its work."""
    modules = home.parent / "modules"
    finish(command, home, modules=modules)
    for name in modules.read_text().splitlines():
        with suppress(Exception):
            importlib.import_module(name)


if __name__ == "__main__":
    main()
