"""Broken files of every form: always a result whose boxes are inside, or one line of InputError.

A build of them is a whole data set, or leaves its folder as it was.

Seeded, so that a case that fails is found again by its number. `LOCVLM_MUTATIONS=10000` sets how
many cases each run tries in all; without it a few hundred.
"""

import gzip
import math
import os
import pickle
import random
import re
import shutil
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from locvlm import annotations
from locvlm.annotations.base import AnnotationSet
from locvlm.errors import InputError
from locvlm.geometry import coords_of
from locvlm.instructions.build import QuestionOptions
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.dataset import DATA, MANIFEST, OBJECTS, read_dataset

NAMES = annotations.names()
CASES = max(1, int(os.environ.get("LOCVLM_MUTATIONS", "440")) // len(NAMES))  # of each reader
OBJECTIVES = ("locpred", "negpred", "revloc", "multiple", "spatial", "category")

NUMBERS = (
    *(b"NaN", b"nan", b"Infinity", b"inf", b"-1", b"0", b"-0.0", b"1e308", b"-1e308", b"1e400"),
    *(b"1e-320", b"2147483648", b"9223372036854775808", b"9" * 400, b"9" * 5000, b"0x10", b"1_0"),
)
WORDS = (
    *(b"", b"../../etc/passwd", b"/etc/passwd", b"..", b".", b"a\\b", b"C:/x.jpg", b"a\0b"),
    *(b"x" * 300 + b".jpg", b"{loc}", b"a\nb", b"\xff\xfe", b"null", b"*", "é\u2028".encode()),
    *(b"[]", b"{}", b"\\ud800", b"&lol;", b"<x>", b"- [", b"'", b'"', b",", b":"),
)
Change = Callable[[bytes, random.Random], bytes]


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4) if data else 0):
        changed[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(changed)


def drop(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.randint(1, 20) :]


def double(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    end = start + rng.randint(1, 200)
    return data[:end] + data[start:end] + data[end:]


def number(data: bytes, rng: random.Random) -> bytes:
    return _instead(data, rng, rb"-?\d+(?:\.\d+)?", NUMBERS)


def word(data: bytes, rng: random.Random) -> bytes:
    return _instead(data, rng, rb"[A-Za-z_][\w./-]*", WORDS)


def mixed(data: bytes, rng: random.Random) -> bytes:
    """A value of another type: text for a number, a number for text."""
    return _instead(
        data, rng, rb'"[^"]*"|-?\d+|\w+', (*NUMBERS, *WORDS, b"true", b"[[1]]", b'{"a":1}')
    )


def encode(data: bytes, rng: random.Random) -> bytes:
    text = data.decode("utf-8", "replace")
    return text.encode(rng.choice(["utf-16", "utf-32", "utf-8-sig", "utf-7", "cp037"]), "replace")


def nest(data: bytes, rng: random.Random) -> bytes:
    return rng.choice([b"[", b'{"a":', b"<a>", b"(", b"- "]) * rng.choice([100, 100_000]) + data


def nothing(data: bytes, rng: random.Random) -> bytes:
    return rng.choice([b"", b"\0" * 100, b"\n" * 100])


CHANGES: tuple[Change, ...] = (
    *(cut, flip, drop, double, number, number, word, word, mixed, mixed, encode, nest, nothing),
)


def _instead(data: bytes, rng: random.Random, pattern: bytes, values: tuple[bytes, ...]) -> bytes:
    places = list(re.finditer(pattern, data))
    if not places:
        return data
    place = rng.choice(places)
    return data[: place.start()] + rng.choice(values) + data[place.end() :]


def mutated(sample: Any, folder: Path, rng: random.Random) -> Path:
    """The sample written with one to three things wrong; what is to be given to the reader."""
    files = dict(sample.files)
    # Pictures less often: only their headers are read.
    names = [n for n in files for _ in range(1 if n.endswith(".jpg") else 4)]
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        name = rng.choice(names)
        files[name] = rng.choice(CHANGES)(files[name], rng)
    path = replace(sample, files=files).write(folder)
    if rng.random() < 0.1:
        disturb(folder / rng.choice(names), rng)
    return path


def disturb(file: Path, rng: random.Random) -> None:
    """The file is missing, a folder, or a link that leads to itself or nowhere."""
    file.unlink()
    kind = rng.randrange(4)
    if kind == 0:
        file.mkdir()
    elif kind == 1:
        file.symlink_to(file)
    elif kind == 2:
        file.symlink_to(file.parent / "nowhere")


def outcome(read: Callable[[], AnnotationSet]) -> str:
    """Read; raises AssertionError unless the end is a good one."""
    try:
        data = read()
    except InputError as error:
        message = str(error)
        assert message
        assert len(message.splitlines()) == 1, message
        return "refused"
    for image in data.images:
        parts = Path(image.file_name).parts
        assert parts
        assert ".." not in parts
        assert not Path(image.file_name).is_absolute()
        assert image.width > 0
        assert image.height > 0
        for item in image.objects:
            x1, y1, x2, y2 = coords_of(item.box)
            assert all(map(math.isfinite, (x1, y1, x2, y2)))
            assert 0 <= x1 < x2 <= image.width
            assert 0 <= y1 < y2 <= image.height
            assert item.category
    assert all(count > 0 for count in data.drops.values())
    return "counted" if data.drops else "read"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Truncated File Read")
@pytest.mark.parametrize("name", NAMES)
def test_broken_files(name: str, samples: dict[str, Any], tmp_path: Path) -> None:
    ends = Counter[str]()
    for case in range(CASES):
        rng = random.Random(f"{name}/{case}")
        folder = tmp_path / str(case)
        path = mutated(samples[name], folder, rng)
        images = folder / samples[name].images if rng.random() < 0.7 else None
        try:
            ends[outcome(lambda: annotations.read(name, path, images=images))] += 1  # noqa: B023
            outcome_of_guess(path)
        except Exception as error:
            raise AssertionError(f"{name}, case {case}: {folder}") from error
    print(name, dict(ends))
    assert len(ends) > 1 or CASES < 20  # some are refused, some are not


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Truncated File Read")
@pytest.mark.parametrize("name", NAMES)
def test_builds_from_broken_files(name: str, samples: dict[str, Any], tmp_path: Path) -> None:
    older = tmp_path / "older"
    build_from_files(
        samples["coco"].write(tmp_path / "good"), None, older, BuildOptions(find_images=False)
    )
    ends = Counter[str]()
    for case in range(CASES):
        rng = random.Random(f"{name}/{case}")
        folder, out = tmp_path / str(case), tmp_path / f"{case}-built"
        path = mutated(samples[name], folder, rng)
        if rng.random() < 0.5:
            shutil.copytree(older, out)
        try:
            ends[outcome_of_build(name, path, folder / samples[name].images, out)] += 1
        except Exception as error:
            raise AssertionError(f"{name}, case {case}: {folder}") from error
    print(name, dict(ends))
    assert len(ends) > 1 or CASES < 20


def outcome_of_build(name: str, path: Path, images: Path, out: Path) -> str:
    """Build into `out`, which is as it was or a whole data set afterwards."""
    before = contents(out)
    try:
        manifest = build_from_files(
            path,
            images,
            out,
            BuildOptions(reader=name, questions=QuestionOptions(objectives=OBJECTIVES)),
        )
    except InputError as error:
        assert len(str(error).splitlines()) == 1
        assert contents(out) == before
        return "refused"
    rows = read_dataset(out)
    assert {file.name for file in out.iterdir()} == {DATA, MANIFEST, OBJECTS}
    assert len(rows) == manifest.pictures > 0
    for row in rows:
        for place in (place for item in row.instructions for place in item.grounds):
            assert place == place.clip(row.width, row.height)
    return "built"


def contents(folder: Path) -> dict[str, bytes] | None:
    if not folder.exists():
        return None
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def outcome_of_guess(path: Path) -> None:
    try:
        name, reason = annotations.detect_format(path)
    except InputError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert name in NAMES
        assert reason


def refused(name: str, path: Path, images: Path | None = None) -> str:
    with pytest.raises(InputError) as caught:
        annotations.read(name, path, images=images)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


class TestBombs:
    def test_gzip(self, tmp_path: Path) -> None:
        path = tmp_path / "bomb.json.gz"
        path.write_bytes(gzip.compress(b"[" + b" " * (100 << 20)))
        assert "more than 200 times" in refused("coco", path)
        with pytest.raises(InputError, match="more than 200 times"):
            annotations.detect_format(path)

    def test_entities(self, samples: dict[str, Any], tmp_path: Path) -> None:
        path = samples["voc"].write(tmp_path)
        laughs = "".join(
            f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10)
        )
        text = f"<!DOCTYPE annotation [{laughs}]><annotation>&l9;</annotation>"
        (tmp_path / "Annotations" / "7.xml").write_text(text)
        assert "document type" in refused("voc", path)

    def test_outside_entity(self, samples: dict[str, Any], tmp_path: Path) -> None:
        path = samples["flickr30k"].write(tmp_path)
        text = '<!DOCTYPE annotation SYSTEM "file:///etc/passwd"><annotation/>'
        (tmp_path / "Annotations" / "7.xml").write_text(text)
        assert "document type" in refused("flickr30k", path)

    def test_aliases(self, samples: dict[str, Any], tmp_path: Path) -> None:
        path = samples["yolo"].write(tmp_path)
        lines = ["a0: &a0 [lol, lol]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
        path.write_text("\n".join([*lines, "train: images/train", "names: *a11"]))
        assert "names[0] is no name" in refused("yolo", path)

    def test_pickle(self, samples: dict[str, Any], tmp_path: Path) -> None:
        path = samples["refcoco"].write(tmp_path)
        ref = {"ann_id": 1, "image_id": 7, "split": "train", "sentences": [{"sent": "a"}] * 50_000}
        (tmp_path / "refs(unc).p").write_bytes(pickle.dumps([ref] * 50_000, 2))
        assert "repeats its lists" in refused("refcoco", path)

    def test_table(self, tmp_path: Path) -> None:
        count = 1 << 23
        categories = pa.ListArray.from_arrays([0, count], pa.array(np.zeros(count, np.int64)))
        objects = pa.StructArray.from_arrays([categories, pa.array([[]])], ["category", "bbox"])
        table = pa.table({"image_path": ["7.jpg"], "objects": objects})
        pq.write_table(table, tmp_path / "bomb.parquet")
        assert (tmp_path / "bomb.parquet").stat().st_size < 10_000
        assert f"has {count + 2} values" in refused("datasets", tmp_path / "bomb.parquet")

    @pytest.mark.parametrize("name", ["yolo", "openimages"])
    def test_picture(self, name: str, samples: dict[str, Any], tmp_path: Path) -> None:
        sample = samples[name]
        header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
        chunk = struct.pack(">I", len(header)) + b"IHDR" + header
        png = b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", zlib.crc32(b"IHDR" + header))
        files = {n: png if n.endswith(".jpg") else c for n, c in sample.files.items()}
        path = replace(sample, files=files).write(tmp_path)
        data = annotations.read(name, path, images=tmp_path / sample.images)
        assert data.images == ()
        assert data.drops["pictures that cannot be read"] > 0

    @pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"images":[' + b"[" * 1000])
    def test_nesting(self, opening: bytes, tmp_path: Path) -> None:
        path = tmp_path / "deep.json"
        path.write_bytes(opening * 100_000)
        refused("coco", path)
        refused("visualgenome", path)


class TestNamesThatAreNoUnicode:
    """File systems and escapes allow what no data set can hold."""

    def test_of_a_picture(self, samples: dict[str, Any], tmp_path: Path) -> None:
        path = samples["yolo"].write(tmp_path)
        for name in ("images/train/7.jpg", "labels/train/7.txt"):
            shutil.copy(tmp_path / name, (tmp_path / name).with_stem(os.fsdecode(b"\xff")))
        assert "not UTF-8" in refused("yolo", path)

    def test_of_annotations(self, samples: dict[str, Any], tmp_path: Path) -> None:
        path = samples["voc"].write(tmp_path)
        file = tmp_path / "Annotations" / "7.xml"
        file.rename(file.with_stem(os.fsdecode(b"\xff")))
        assert "not UTF-8" in refused("voc", path)

    def test_of_a_class(self, samples: dict[str, Any], tmp_path: Path) -> None:
        path = samples["yolo"].write(tmp_path)
        path.write_text('train: images/train\nnames: [cat, "\\ud800"]')
        assert "names[1] is no name" in refused("yolo", path)

    def test_of_a_folder(self, samples: dict[str, Any], tmp_path: Path) -> None:
        path = samples["yolo"].write(tmp_path)
        path.write_text('train: "\\ud800.txt"\nnames: [cat, dog]')
        assert "not UTF-8" in refused("yolo", path)
