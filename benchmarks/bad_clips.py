"""What each command says of odd clips, one kind after the other, beside a clip that is whole.

    PYTHONPATH=src:. python benchmarks/bad_clips.py --out clips.md
    PYTHONPATH=src:. python benchmarks/bad_clips.py --only two.mkv,wide.mp4

A tiny random LLaVA learns from both clips (train), is asked about the odd one (ask) and about both
(eval); a random detector looks at both (pseudo video). The table says whether the command ended
well, how much of the rest it did, and its words on the odd clip.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from PIL import Image

from locvlm import cli
from tests import families
from tests.clip_files import numbered, write_clip, write_gif
from tests.pseudo.detectors import tiny as tiny_detectors

GOOD = "good.mp4"
MAX_WORDS = 160


def join(codec: str) -> Callable[[Path], object]:
    """Two clips in one file, as by ``cat``."""

    def write(path: Path) -> None:
        parts = [
            write_clip(path.with_name(f"{part}-{path.name}"), codec, options={"g": "12"})
            for part in (1, 2)
        ]
        path.write_bytes(b"".join(part.read_bytes() for part in parts))
        for part in parts:
            part.unlink()

    return write


def damage(codec: str, count: int = 50, share: float = 0.02) -> Callable[[Path], object]:
    """Noise in the middle of the file, over a share of it."""

    def write(path: Path) -> None:
        write_clip(path, codec, count=count, picture=noisy, options={"g": "12"})
        data = bytearray(path.read_bytes())
        middle, size = len(data) // 2, max(16, int(share * len(data)))
        noise = np.random.default_rng(0).integers(0, 256, size, np.uint8)
        data[middle : middle + size] = noise.tobytes()
        path.write_bytes(data)

    return write


def cut(share: float) -> Callable[[Path], object]:
    """A share of a file alone."""

    def write(path: Path) -> None:
        write_clip(path, picture=noisy, options={"g": "5"})
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    return write


def noisy(number: int) -> Image.Image:
    """So that a frame takes some bytes."""
    noise = np.random.default_rng(number).integers(-100, 101, (48, 64, 3))
    return Image.fromarray((np.asarray(numbered(number)) + noise).clip(0, 255).astype(np.uint8))


def animate(path: Path) -> None:
    """Ten frames, by Pillow."""
    frames = [numbered(number) for number in range(10)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)


def two_streams(path: Path) -> None:
    """A small preview before the clip, which is marked as default."""
    from av.stream import Disposition

    with av.open(str(path), "w") as file:
        streams = []
        for number, size in enumerate(((32, 24), (64, 48))):
            stream = file.add_stream("libx264", rate=25)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.disposition = Disposition.default if number else Disposition(0)
            streams.append(stream)
        for number in range(20):
            for stream in streams:
                picture = numbered(number).resize((stream.width, stream.height))
                frame = av.VideoFrame.from_image(picture)
                frame.pts = number
                file.mux(stream.encode(frame))
        for stream in streams:
            file.mux(stream.encode())


def jump(path: Path) -> None:
    """An hour ahead in the middle."""
    times = [40 * number + (3_600_000 if number >= 25 else 0) for number in range(50)]
    write_clip(path, options={"g": "5"}, times=times)


def long(path: Path) -> None:
    """Ten minutes."""
    write_clip(path, count=15_000, picture=lambda n: numbered(n % 256), options={"g": "50"})


def still(path: Path) -> None:
    """A picture that is called otherwise."""
    numbered(7).save(path, "PNG" if path.suffix == ".gif" else "GIF")


KINDS: dict[str, Callable[[Path], object]] = {
    "zeros.mp4": lambda path: path.write_bytes(bytes(5000)),
    "empty.mp4": lambda path: path.write_bytes(b""),
    "page.mp4": lambda path: path.write_text("<!DOCTYPE html><html>404</html>"),
    "no-index.mp4": cut(0.9),
    "cut.mkv": cut(0.5),
    "cut.ts": cut(0.5),
    "joined.mpg": join("mpeg2video"),
    "joined.ts": join("libx264"),
    "joined.webm": join("libvpx"),
    "joined.mkv": join("libx264"),
    "joined.mp4": join("libx264"),
    "joined.wmv": join("wmv2"),
    "joined.avi": join("mpeg4"),
    "joined.flv": join("flv"),
    "joined.gif": lambda path: (
        write_gif(path),
        path.write_bytes(path.read_bytes() * 2),
    ),
    "ahead.ts": jump,
    "two.mkv": two_streams,
    "two.mp4": two_streams,
    "wide.mp4": lambda path: write_clip(path, options={"x264-params": "sar=3/2"}),
    "animated.webp": animate,
    "animated.png": animate,
    "still.gif": still,
    "still.mp4": still,
    "long.ts": long,
    "damaged.flv": damage("flv"),
    "damaged.ts": damage("libx264"),
    "damaged.mpg": damage("mpeg2video"),
    "damaged.mp4": damage("libx264"),
    "damaged.webm": damage("libvpx-vp9"),
    "damaged.mkv": damage("libx264"),
    "damaged.avi": damage("mpeg4"),
    "turned30.mp4": lambda path: write_clip(path, turned=30),
    "line\nbreak.mp4": write_clip,
    "latin-\udce9.mp4": write_clip,
}


def main() -> None:
    """All kinds, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    only = given.only.split(",") if given.only else list(KINDS)
    rows = ["| clip | command | exit | the rest | s | what is said |", "|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        make_models()
        for number, name in enumerate(only):
            work = Path(folder, str(number))
            for row in try_kind(work, name):
                rows.append(row)
                print(row, flush=True)
    if given.out:
        given.out.write_text("\n".join(rows) + "\n")


def make_models() -> None:
    """Tiny random ones."""
    model, processor = families.build("llava")
    model.save_pretrained("base")
    processor.save_pretrained("base")
    tiny_detectors.build("yolos", Path("detector"))


def try_kind(work: Path, name: str) -> list[str]:
    """The rows of the table on one kind."""
    clips = work / "clips"
    clips.mkdir(parents=True)
    write_clip(clips / GOOD)
    KINDS[name](clips / name)
    write_labels(work, name)
    model = str(work / "out" / "model")
    commands = {
        "build": ["build", "--annotations", f"{work}/labels.json", "--images", str(clips), "--out",
                  f"{work}/data", "--objectives", "locpred,revloc"],
        "train": ["train", f"{work}/recipe.yaml"],
        "ask": ["ask", str(clips / name), "What is it?", "--model", model],
        "eval": ["eval", "--model", model, "--task", "tgif-qa", "--questions",
                 f"{work}/questions.csv", "--videos", str(clips), "--out", f"{work}/eval"],
        "pseudo video": ["pseudo", "video", "--clips", str(clips), "--out", f"{work}/seen.json",
                         "--detector", "detector"],
    }  # fmt: skip
    return [run(work, name, command, words) for command, words in commands.items()]


def write_labels(work: Path, name: str) -> None:
    """What each command needs: labels, questions, a recipe."""
    names = [GOOD, name]
    document = {
        "images": [
            {"id": number, "file_name": one, "width": 64, "height": 48}
            for number, one in enumerate(names, 1)
        ],
        "annotations": [
            {"id": number, "image_id": number, "category_id": 1, "bbox": [8, 0, 16, 48]}
            for number in (1, 2)
        ],
        "categories": [{"id": 1, "name": "stripe"}],
    }
    (work / "labels.json").write_text(json.dumps(document))
    rows = [f"{one}\twhat is it ?\tstripe\t0\t{number}" for number, one in enumerate(names)]
    if "\n" not in name:
        text = "\n".join(["gif_name\tquestion\tanswer\ttype\tvid_id", *rows])
        (work / "questions.csv").write_text(text, errors="surrogateescape")
    (work / "recipe.yaml").write_text(
        f"model: {work.parent}/base\ndata: [data]\nout: {work}/out\nframes: 3\n"
        "format: ivb\noptions: {bins: 56}\n"
        "lora: {rank: 2, alpha: 2}\nstages:\n"
        "  one: {trains: adapter+lora, steps: 1, images: 2, questions: {locpred: 1, revloc: 1}}\n"
    )


def run(work: Path, name: str, command: str, words: list[str]) -> str:
    """A row: one command."""
    said, printed, start = io.StringIO(), io.StringIO(), time.perf_counter()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(printed):
        try:
            code: object = cli.main(words)
        except Exception as error:  # what must never be
            code = f"TRACEBACK {type(error).__name__}: {error}"
    took = time.perf_counter() - start
    lines = [line for line in said.getvalue().splitlines() if name.split("\n")[0] in line]
    if code and not lines:
        lines = said.getvalue().splitlines()[-1:]
    text = "; ".join(dict.fromkeys(re.sub(r"\S*/clips/", "", line) for line in lines))
    text = text.replace("|", "\\|").encode(errors="replace").decode()
    cells = (
        repr(name)[1:-1],
        command,
        code,
        rest_of(work, command),
        f"{took:.1f}",
        text[:MAX_WORDS],
    )
    return f"| {' | '.join(map(str, cells))} |"


def rest_of(work: Path, command: str) -> str:
    """How much of what was to be done is done."""
    with contextlib.suppress(FileNotFoundError):
        match command:
            case "eval":
                scores = json.loads((work / "eval" / "scores.json").read_bytes())
                return f"{scores['questions']} of 2 answered"
            case "pseudo video":
                seen = json.loads((work / "seen.json").read_bytes())
                return f"{len(seen['images'])} of 2 seen"
            case "train":
                return "model" if (work / "out" / "model").is_dir() else "no model"
    return ""


if __name__ == "__main__":
    main()
