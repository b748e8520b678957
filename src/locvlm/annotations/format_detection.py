"""Which form annotations are in, told from the file or folder itself."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from locvlm.annotations.names import names
from locvlm.errors import InputError
from locvlm.io.reading import BOM, is_file, is_folder, list_entries, read_chunks, text_lines

_LONGEST = 64  # bytes; no key that is looked for is longer

_KEYS = re.compile(  # one search for all: the files are large
    rb'"(images|neg_category_ids|isfake|isreflected|objects|names|regions|phrase)"'
)

Guess = tuple[str, str]  # name of the reader, reason


def detect_format(path: str | Path) -> Guess:
    """The name of the reader for `path`, and in words why.

    Raises:
        InputError: there is nothing, or its form cannot be told.
    """
    path = Path(path)
    if not is_file(path) and not is_folder(path):
        raise InputError(f"{path}: No such file or folder; check the path")
    found = list(_of_folder(path) if is_folder(path) else _of_file(path))
    if len(found) == 1:
        return found[0]
    seen = " and ".join(f"{name} ({reason})" for name, reason in found) or "nothing known in it"
    raise InputError(
        f"{path}: the form of these annotations cannot be told: {seen}; it may be one of "
        f"{', '.join(names())}; give --from NAME"
    )


def _of_folder(path: Path) -> Iterator[Guess]:
    def has(pattern: str, folder: Path = path) -> bool:
        return next(list_entries(folder, pattern), None) is not None

    annotations = has("*.xml", path / "Annotations")
    if annotations and has("*.txt", path / "Sentences"):
        yield "flickr30k", "a folder with Annotations/*.xml and Sentences/*.txt"
    elif annotations or has("*.xml"):
        yield "voc", "a folder with XML files"
    if has("refs*.p"):
        yield "refcoco", "a folder with refs(…).p"
    if has("objects.json") or has("region_descriptions.json"):
        yield "visualgenome", "a folder with objects.json or region_descriptions.json"
    below = (
        has("*.parquet", path / "data"),
        *(has("*.arrow", item) for item in list_entries(path)),
    )
    if has("*.parquet") or has("*.arrow") or any(below):
        yield "datasets", "a folder with Parquet or Arrow files"
    if has("data.yaml") or has("data.yml"):
        yield "yolo", "a folder with data.yaml"


def _of_file(path: Path) -> Iterator[Guess]:
    by_suffix: dict[str, Callable[[Path], Iterator[Guess]]] = {
        ".csv": _of_csv,
        ".json": _of_json,
        ".gz": _of_json,
    }
    plain = {
        ".yaml": ("yolo", "a YAML file"),
        ".yml": ("yolo", "a YAML file"),
        ".p": ("refcoco", "a pickle file"),
        ".pkl": ("refcoco", "a pickle file"),
        ".pickle": ("refcoco", "a pickle file"),
        ".parquet": ("datasets", "a Parquet file"),
        ".arrow": ("datasets", "an Arrow file"),
        ".jsonl": ("table", "JSON lines"),
        ".ndjson": ("table", "JSON lines"),
    }
    if path.suffix in plain:
        yield plain[path.suffix]
    elif path.suffix in by_suffix:
        yield from by_suffix[path.suffix](path)


def _of_csv(path: Path) -> Iterator[Guess]:
    try:
        columns = next(csv.reader(text_lines(path)), [])
    except csv.Error:
        columns = []
    if {"ImageID", "LabelName", "XMin"} <= set(columns):
        yield "openimages", "a CSV file with the columns ImageID, LabelName and XMin"
    if {"image", "category", "x1"} <= set(columns):
        yield "table", "a CSV file with the columns image, category and x1"


def _of_json(path: Path) -> Iterator[Guess]:
    """By keys anywhere in the file, for their order is free; nothing is decoded."""
    first, seen, rest = b"", set[str](), b""
    for chunk in read_chunks(path):
        first = first or chunk.removeprefix(BOM).lstrip()[:1]
        window = rest + chunk
        seen.update(key.decode() for key in set(_KEYS.findall(window)))
        rest = window[-_LONGEST:]
    if first == b"{" and "images" in seen:  # a file that is cut says so when it is read
        if "neg_category_ids" in seen:
            yield "lvis", 'COCO\'s form with "neg_category_ids", which LVIS has'
        elif "isfake" in seen or "isreflected" in seen:
            yield "objects365", 'COCO\'s form with "isfake" or "isreflected", which Objects365 has'
        else:
            yield "coco", 'a JSON file with "images", as COCO has'
    elif first == b"[" and {"objects", "names"} <= seen:
        yield "visualgenome", 'a JSON list with "objects" and their "names"'
    elif first == b"[" and {"regions", "phrase"} <= seen:
        yield "visualgenome", 'a JSON list with "regions", each with a "phrase"'
