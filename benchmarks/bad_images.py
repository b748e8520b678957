"""What every command says of one bad picture among good ones, and whether the others are done.

    PYTHONPATH=src:. python benchmarks/bad_images.py --out bad.md

Of each kind: a folder of six good pictures and a bad one with COCO annotations, a data set built
while all were good, and a tiny random LLaVA and Qwen3-VL. A `gs` that leaves a mark comes first on
the PATH: no command may start it. Takes some minutes on two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import json
import os
import re
import resource
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from tests.media.bad_images import BAD_IMAGES, encode, png_header

GOOD, NAME, SIZE = 6, "odd.jpg", (64, 48)  # pictures, the bad one, its size as annotated
LIMIT_GIB = 12  # of memory: what decodes a bomb ends
KINDS: dict[str, Callable[[Path], object]] = {
    **{kind: make for kind, (make, _) in BAD_IMAGES.items()},
    "bomb 30,000²": lambda path: path.write_bytes(png_header(30_000, 30_000)),
    "sliver 1 × 400": lambda path: Image.new("RGB", (1, 400)).save(path, "PNG"),
    "missing": lambda path: None,
    "disk error": lambda path: path.symlink_to("/proc/self/mem"),
    "other size": lambda path: path.write_bytes(encode("JPEG", (32, 24))),
    "turned, annotated as stored": lambda path: _save_turned(path),
    "good: 16 bits": lambda path: _save(path, np.uint16, "PNG"),
    "good: CMYK": lambda path: Image.new("CMYK", SIZE, (9, 99, 0, 0)).save(path, "JPEG"),
    "good: GIF still": lambda path: Image.new("P", SIZE).save(path, "GIF"),
}
SIZES = {"sliver 1 × 400": (1, 400)}  # as annotated, where that is another


def main() -> None:
    """Walk the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="table to write, Markdown")
    parser.add_argument("--kinds", nargs="*", help="these alone")
    parser.add_argument("--commands", nargs="*", help="these alone")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)  # the models are small: threads would wait for each other
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_GIB << 30, LIMIT_GIB << 30))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        models = {name: save_model(name, root / name) for name in ("llava", "qwen3_vl")}
        mark = put_ghostscript(root)
        rows: dict[str, dict[str, tuple[int, str]]] = {}
        for kind in track(options.kinds or KINDS):
            rows[kind] = walk(kind, root / "walk", models, options.commands)
            write_table(rows, options.out, started=mark.exists())


def track(kinds: Any) -> Iterator[str]:
    """Say what is tried, and how long it took."""
    for kind in kinds:
        began = time.monotonic()
        yield kind
        print(f"{kind}: {time.monotonic() - began:.0f} s", flush=True)


def save_model(name: str, folder: Path) -> Path:
    """A tiny random model of a family and its processor."""
    from tests import families

    model, processor = families.build(name)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def put_ghostscript(root: Path) -> Path:
    """A program `gs` that leaves the file which is returned."""
    mark, program = root / "gs was started", root / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch '{mark}'\n")
    program.chmod(0o755)
    os.environ["PATH"] = f"{program.parent}:{os.environ['PATH']}"
    return mark


def walk(
    kind: str, root: Path, models: dict[str, Path], only: list[str] | None
) -> dict[str, tuple[int, str]]:
    """Command -> its exit code and what it said of the one picture."""
    shutil.rmtree(root, ignore_errors=True)
    images = root / "images"
    images.mkdir(parents=True)
    size = SIZES.get(kind, SIZE)
    write_annotations(root, size)
    bad = images / NAME
    Image.new("RGB", size).save(bad, "PNG")
    run(["build", *given(root), "--out", root / "data", "--objectives", "locpred,revloc"])
    for target in ("llava", "trl"):
        export = ["export", root / "data", "--to", target, "--format", "ivb"]
        run([*export, "--out", root / f"{target}.json"])
    bad.unlink()
    KINDS[kind](bad)
    write_films(root / "films", kind)
    found = {}
    for name, arguments in commands(root, models):
        if only is None or name in only:
            found[name] = run(arguments)
    return found


def commands(root: Path, models: dict[str, Path]) -> Iterator[tuple[str, list[Any]]]:
    """All that open pictures."""
    llava = models["llava"]
    images, data = root / "images", root / "data"
    for check in ("headers", "pixels"):
        out = root / f"built-{check}"
        yield f"build {check}", ["build", *given(root), "--out", out, "--check", check]
    for name, model in models.items():
        yield f"inspect {name}", ["inspect", data, "--model", model, "--out", root / f"see-{name}"]
        recipe = write_recipe(root, name, model)
        yield f"train {name}", ["train", recipe]
        out = root / f"eval-{name}"
        task = ["eval", "--model", model, "--task", "locate", "--images", images, "--out", out]
        yield f"eval {name}", [*task, "--annotations", root / "coco.json"]
    recipe = write_recipe(root, "no cache", llava, "cache: false\n")
    yield "train llava, no cache", ["train", recipe]
    for name, model in models.items():
        out = root / f"words-{name}.json"
        yield f"describe {name}", ["pseudo", "describe", *given(root), "--model", model,
                                   "--out", out]  # fmt: skip
    yield "detect", ["pseudo", "detect", "--images", images, "--out", root / "found.json"]
    yield "animate", ["pseudo", "animate", *given(root), "--out", root / "clips", "--side", 64]
    yield "video", ["pseudo", "video", "--clips", root / "films", "--out", root / "seen.json"]
    for name, model in models.items():
        yield f"locate {name}", ["locate", images / NAME, "dog", "--model", model]
    yield "export", ["export", data, "--to", "qwen", "--out", root / "qwen.json"]
    yield "export pictures", ["export", data, "--to", "trl", "--with-images",
                              "--out", root / "trl.parquet"]  # fmt: skip
    form = ["--from", "llava", "--format", "ivb", "--images", images, "--out", root / "imported"]
    yield "import", ["import", root / "llava.json", *form]
    strip_sizes(root / "llava.json", root / "bare.json")
    form = ["--from", "ivb", "--to", "nfp", "--images", images]
    yield "convert", ["convert", root / "bare.json", root / "converted.json", *form]


def given(root: Path) -> list[Any]:
    """The detection data set."""
    return ["--annotations", root / "coco.json", "--images", root / "images"]


def strip_sizes(file: Path, out: Path) -> None:
    """The same records without width and height: they are then read from the pictures."""
    rows = json.loads(file.read_text())
    kept = [{k: v for k, v in row.items() if k not in ("width", "height")} for row in rows]
    out.write_text(json.dumps(kept))


def write_annotations(root: Path, size: tuple[int, int]) -> None:
    """Good pictures of noise and their boxes, and a box in the bad one."""
    noise = np.random.default_rng(0)
    names = [f"{number}.jpg" for number in range(GOOD)]
    for name in names:
        pixels = noise.integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
        Image.fromarray(pixels).save(root / "images" / name)
    sizes = {**dict.fromkeys(names, SIZE), NAME: size}
    images = [
        {"id": i, "file_name": name, "width": w, "height": h}
        for i, (name, (w, h)) in enumerate(sizes.items())
    ]
    boxes = [
        {"id": i, "image_id": i, "category_id": 1, "iscrowd": 0, "area": w * h / 4,
         "bbox": [w / 4, h / 4, w / 2, h / 2]}
        for i, (w, h) in enumerate(sizes.values())
    ]  # fmt: skip
    kinds = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    coco = {"images": images, "annotations": boxes, "categories": kinds}
    (root / "coco.json").write_text(json.dumps(coco))


def write_films(folder: Path, kind: str) -> None:
    """Two clips, and the bad picture as a third."""
    folder.mkdir()
    for number in range(2):
        frames = [Image.new("P", SIZE, shade) for shade in (number, 9 + number)]
        frames[0].save(folder / f"{number}.gif", save_all=True, append_images=frames[1:])
    KINDS[kind](folder / NAME.replace("jpg", "gif"))


def write_recipe(root: Path, name: str, model: Path, more: str = "") -> Path:
    """Of some steps of LoRA."""
    recipe = root / f"{name}.yaml"
    recipe.write_text(
        f"model: {model}\ndata: [{root / 'data'}]\nout: {root / f'run {name}'}\n{more}"
        "lora: {rank: 2, alpha: 2}\n"
        "stages:\n  one: {trains: lora, steps: 4, images: 2, questions: {locpred: 1, revloc: 1}}\n"
    )
    return recipe


def run(arguments: list[Any]) -> tuple[int, str]:
    """The exit code of a command, and what it printed."""
    from locvlm.cli import main as locvlm

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = int(locvlm([str(argument) for argument in arguments]) or 0)
        except SystemExit as error:
            code = int(error.code or 0)
        except BaseException as error:
            code = -1
            print(f"TRACEBACK {type(error).__name__}: {error}")
    return code, said.getvalue()


def about(said: str) -> str:
    """The line about the bad picture; empty where there is none."""
    lines = [shorten(line) for line in re.split(r"[\r\n]+", said)]
    return next((line for line in lines if re.search(r"\bodd\.(jpg|gif)", line)), "")


def shorten(line: str) -> str:
    """Without folders, for a table."""
    line = re.sub(r"/tmp/\S*?/(?=[^/\s]+[\s:;,)]|[^/\s]+$)", "", line)
    return " ".join(line.replace("|", "¦").split())


def outcome(name: str, code: int, said: str) -> str:
    """What a command did about the bad picture, and whether it did the others."""
    if code:
        return "refuses it in one line" if code == 2 else "FAILS"
    if name.startswith("train"):
        whole = "Trained: " in said
    elif name.startswith("eval"):
        whole = "answers" in said or "report.md" in said
    else:
        done = re.search(r"(\d+) (?:pictures|samples|clips|conversations|records)\b", said)
        least = 2 if name == "video" else 1 if name.startswith("locate") else GOOD
        whole = name.startswith("locate") or bool(done and int(done[1]) >= least)
    if not whole:
        return "LOSES OTHERS"
    return "names it, does the others" if about(said) else "uses it"


def write_table(rows: dict[str, dict[str, tuple[int, str]]], out: Path, *, started: bool) -> None:
    """What the commands do, for kinds with the same outcome together; then what is said of each."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for kind, found in rows.items():
        key = tuple((name, outcome(name, code, said)) for name, (code, said) in found.items())
        groups.setdefault(key, []).append(kind)
    lines = ["| kinds | outcome | commands |", "|---|---|---|"]
    for key, kinds in groups.items():
        for what in dict.fromkeys(what for _, what in key):
            names = ", ".join(name for name, other in key if other == what)
            lines.append(f"| {', '.join(kinds)} | {what} | {names} |")
    lines += ["", "| kind | said of it |", "|---|---|"]
    for kind, found in rows.items():
        words = dict.fromkeys(reason(about(said)) for _, said in found.values())
        lines.append(f"| {kind} | {' // '.join(filter(None, words))} |")
    lines += ["", f"Ghostscript was {'STARTED' if started else 'never started'}.", ""]
    out.write_text("\n".join(lines), encoding="utf-8")


def reason(line: str) -> str:
    """Of a line about the picture, what is said after its name."""
    line = re.sub(r"; (give a|check the|use the|cut it|crop it).*", "", line)
    return re.sub(r"^.*?\bodd\.(jpg|gif)[:),]*\s*", "", line)


@functools.cache
def _noise(dtype: Any) -> Any:
    return np.random.default_rng(1).integers(0, 4096, SIZE[::-1], dtype)


def _save(path: Path, dtype: Any, format: str) -> None:
    Image.fromarray(_noise(dtype)).save(path, format)


def _save_turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", SIZE).save(path, "JPEG", exif=exif)


if __name__ == "__main__":
    main()
