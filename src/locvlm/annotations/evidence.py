"""What is seen of a file or folder of annotations without reading it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import msgspec

from locvlm.errors import InputError
from locvlm.io.reading import BOM, UTF_16, is_file, is_folder, list_entries, read_chunks, text_lines

_ROOT = re.compile(rb"<([A-Za-z_][\w.-]*)")  # not <?xml, <!-- or <!DOCTYPE
_LABELME = re.compile(rb'"(shapes|imagePath|shape_type)"')
_LONGEST = 64  # bytes; no key that is looked for is longer


class Evidence:
    """What tells the format of `path`; each part of it is looked at once, and only if needed.

    Args:
        path: a file or folder that is there.
        json_keys: all keys that somebody may look for in `json_keys`; at least one.
    """

    def __init__(self, path: Path, json_keys: Iterable[str]):
        self._folder = path if is_folder(path) else None
        self._file = path if self._folder is None else None
        # one search for all: the files are large
        self._keys = re.compile(f'"({"|".join(json_keys)})"'.encode())

    def has(self, pattern: str) -> bool:
        """Whether it is a folder with such a file in it, as in ``Annotations/*.xml``."""
        *below, name = pattern.split("/")
        parents = [self._folder] if self._folder else []
        for folder in below:
            parents = [item for parent in parents for item in list_entries(parent, folder)]
        return any(True for parent in parents for _ in list_entries(parent, name))

    def has_text(self, pattern: str, text: str) -> bool:
        """Whether it is a folder with such a file in it, a line of which begins with `text`."""
        files = list_entries(self._folder, pattern) if self._folder else ()
        sign = text.encode()
        return any(line.startswith(sign) for file in files for line in _first_lines(file))

    @property
    def name(self) -> str:
        """Of the file; empty for a folder."""
        return self._file.name if self._file else ""

    @property
    def suffix(self) -> str:
        """Of the file, such as ``.yaml``; empty for a folder."""
        return self._file.suffix if self._file else ""

    @cached_property
    def columns(self) -> set[str]:
        """Of a CSV file; empty for all else."""
        if self._file is None or self.suffix != ".csv":
            return set()
        try:
            return set(next(csv.reader(text_lines(self._file)), []))
        except csv.Error:
            return set()

    @cached_property
    def line_keys(self) -> set[str]:
        """Of the first of JSON lines; empty for all else, also where that line is broken."""
        if self._file is None or self.suffix not in (".jsonl", ".ndjson"):
            return set()
        try:
            first = next(filter(str.strip, text_lines(self._file)), "{}")
            return set(msgspec.json.decode(first, type=dict[str, object]))
        except (msgspec.DecodeError, InputError, RecursionError, ValueError):
            return set()

    def xml_root(self, name: str = "") -> str:
        """The root of an XML file, or of the one called `name` in a folder; empty: it is neither.

        Nothing is parsed but its first tag.
        """
        file = self._folder / name if self._folder and name else self._file
        if file is None or file.suffix != ".xml" or not is_file(file):
            return ""
        start = next(read_chunks(file), b"")
        found = _ROOT.search(start.replace(b"\0", b"") if start[:2] in UTF_16 else start)
        return found[1].decode() if found else ""

    @cached_property
    def below_json(self) -> set[str]:
        """Keys of the first JSON file of a folder that has some and is not told otherwise."""
        files = sorted(list_entries(self._folder, "*.json")) if self._folder else []
        keys = set[str]()
        for file in files[:1]:
            for chunk in read_chunks(file):
                keys.update(key.decode() for key in _LABELME.findall(chunk))
        return keys

    def json_object(self, *keys: str) -> bool:
        """Whether it is a JSON object, packed or not, with all these keys anywhere in it."""
        return self._json[0] == b"{" and self._json[1].issuperset(keys)

    def json_list(self, *keys: str) -> bool:
        """Whether it is a JSON list, packed or not, with all these keys anywhere in it."""
        return self._json[0] == b"[" and self._json[1].issuperset(keys)

    @cached_property
    def _json(self) -> tuple[bytes, set[str]]:
        """First character and keys; nothing is decoded, for the order of keys is free.

        A file that is cut says so when it is read.
        """
        first, keys, rest, zeros = b"", set[str](), b"", False
        if self._file is not None and self.suffix in (".json", ".gz"):
            for chunk in read_chunks(self._file):
                if chunk[:2] in UTF_16 or zeros:
                    zeros, chunk = True, chunk[2:].replace(b"\0", b"")
                first = first or chunk.removeprefix(BOM).lstrip()[:1]
                window = rest + chunk
                keys.update(key.decode() for key in set(self._keys.findall(window)))
                rest = window[-_LONGEST:]
        return first, keys


def _first_lines(file: Path) -> list[bytes]:
    """Of a file's beginning; none of what is no file."""
    return next(read_chunks(file), b"").splitlines() if is_file(file) else []
