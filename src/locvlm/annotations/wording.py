"""Words for the categories of a data set: what is asked about, in place of names like ``def_01``.

A file says them, a category a line; synonyms stand behind ``|``:

    def_01: scratch on metal | scuff        YAML or text; a YAML list of synonyms will do, too
    17: trinket                             by the category's id, as in COCO's and YOLO's files
    {"def_01": ["scratch on metal", "scuff"]}    JSON
    def_01,scratch on metal,scuff           CSV; with ; or tabs between, too, as Excel saves it

The data set's own name stays beside the words: in `AnnotationSet.names`, the manifest and scores.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.columns import ColumnarImages
from locvlm.errors import InputError
from locvlm.io.reading import is_unicode, name_of, one_line, quote, sayable, text_lines
from locvlm.io.yaml_text import UniqueKeyLoader

Names = Mapping[str, tuple[str, ...]]  # name or id in the data set -> words asked about, synonyms

SHOWN = 5  # names in a message
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods", ".numbers")
NUMBERS = "all categories are numbers"  # how a remark of `spellings` begins


class _TextLoader(UniqueKeyLoader):
    """As its base, all values texts: ``no: nose`` is about a category that is called no."""

    yaml_implicit_resolvers = {}  # noqa: RUF012


def read_names(path: Path) -> dict[str, tuple[str, ...]]:
    """What a file of names says: name or id in the data set -> the words, then its synonyms.

    Raises:
        InputError: it cannot be read, says nothing, or names a category twice or not at all.
    """
    found: dict[str, tuple[str, ...]] = {}
    for key, value in _read_pairs(path):
        words = _words(value, f"{path}: {key}")
        if key in found:
            raise InputError(f"{path}: {key!r} is there twice; leave one out")
        found[key] = words
    if not found:
        raise InputError(f"{path}: names nothing; write lines such as 'def_01: scratch on metal'")
    return found


def name_categories(data: AnnotationSet, names: Names, source: str = "--names") -> AnnotationSet:
    """The data set with `names` for its categories; one without a name keeps its own.

    Args:
        data: as a reader gave it, or a built data set; of that, own names and those that it was
            built with will do as keys.
        names: see `read_names`.
        source: of the names, for messages.

    Raises:
        InputError: a name is of no category, or two categories would have the same.
    """
    own_of = {words[0]: own for own, words in data.names.items()}  # of those with words already
    chosen = _find_categories(data, names, own_of, source)
    shown = {name: chosen[name][0] if name in chosen else name for name in data.categories}
    _check_different(data, shown, chosen, own_of, source)
    words = dict(data.names)
    for name, texts in chosen.items():
        words[own_of.get(name, name)] = texts
    remarks = [text for text in data.remarks if not text.startswith(NUMBERS)]
    if kept := [name for name in data.categories if name not in chosen and name not in own_of]:
        listed = ", ".join(kept[:SHOWN]) + (", …" if len(kept) > SHOWN else "")
        remarks.append(f"{len(kept)} of {len(data.categories)} categories keep their own: {listed}")
    return replace(
        data,
        images=_rename_images(data, shown),
        categories=tuple(shown.values()),
        unboxed=None if data.unboxed is None else _rename(data.unboxed, shown),
        dummies=_rename(data.dummies, shown),
        names={own: texts for own, texts in words.items() if texts != (own,)},
        remarks=tuple(remarks),
    )


def synonyms_of(names: Names) -> dict[str, str]:
    """Another word for a category -> the words that are asked about."""
    return {synonym: words[0] for words in names.values() for synonym in words[1:]}


def find_words(what: str, names: Names) -> str:
    """The words for what somebody typed: a name in the data set, or a text that is no such name."""
    return names[what][0] if what in names else what


def _read_pairs(path: Path) -> Iterable[tuple[str, Any]]:
    suffix = path.suffix.lower()
    if suffix in WORKBOOKS:
        raise InputError(f"{path}: is a workbook, not text; save its sheet as CSV")
    if suffix in (".csv", ".tsv"):
        return _read_table(path)
    if suffix in (".yaml", ".yml", ".json"):
        return _read_tree(path).items()
    lines = [(n, line.strip()) for n, line in enumerate(text_lines(path), 1)]
    pairs = []
    for number, line in lines:
        if not line or line.startswith("#"):
            continue
        key, colon, value = line.partition(":")
        if not colon:
            raise InputError(f"{path}: line {number}: no colon; write 'def_01: scratch on metal'")
        pairs.append((key.strip(), value))
    return pairs


def _read_table(path: Path) -> list[tuple[str, list[str]]]:
    """Key and words of each row; what stands between is ``,`` or, if first in the file, another."""
    lines = list(text_lines(path))
    if lines and (told := re.fullmatch(r"sep=(.)\s*", lines[0])):  # which Excel writes and heeds
        between, lines = told[1], lines[1:]
    else:
        found = re.search(r"[,;\t]", "".join(lines))
        between = found[0] if found else ","
    try:
        rows = list(csv.reader(lines, delimiter=between, strict=True))
    except csv.Error as error:
        raise InputError(f"{path}: not CSV ({error}); mind the quotation marks") from None
    rows = [row for row in rows if any(map(str.strip, row))]
    if short := next((row for row in rows if len(row) < 2), None):
        raise InputError(
            f"{path}: {short[0]!r} has no name; write rows of two columns or more, with "
            f"{quote(between)} between as in the first"
        )
    return [(row[0].strip(), [text for text in row[1:] if text.strip()]) for row in rows]


def _read_tree(path: Path) -> dict[str, Any]:
    text = "\n".join(text_lines(path))
    try:
        if path.suffix.lower() == ".json":
            tree = json.loads(text, object_pairs_hook=_check_unique)
        else:
            tree = yaml.load(text, _TextLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as names: {one_line(str(error))}") from None
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise InputError(f"{path}: not names; write lines such as 'def_01: scratch on metal'")
    return {key.strip(): value for key, value in tree.items()}


def _check_unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return found


def _words(value: Any, where: str) -> tuple[str, ...]:
    """The words of a category, then its synonyms."""
    value = [value] if isinstance(value, str) else value
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise InputError(f"{where}: not a name; give one, or several with | between or as a list")
    texts = [text for part in value for text in part.split("|")]
    words = tuple(dict.fromkeys(name_of(text, where) for text in texts))
    if not words or not all(sayable(text) and is_unicode(text) for text in words):
        raise InputError(f"{where}: a name is empty or has braces; give words that can be said")
    return words


def _find_categories(
    data: AnnotationSet, names: Names, own_of: Mapping[str, str], source: str
) -> dict[str, tuple[str, ...]]:
    """Category, as it is called now -> its words. Raises InputError for a key of none."""
    by_own = {own: name for name, own in own_of.items()}
    chosen: dict[str, tuple[str, ...]] = {}
    keys: dict[str, str] = {}
    for key, words in names.items():
        own = key if key in by_own or key in data.categories else data.category_ids.get(key, key)
        name = by_own.get(own, own)
        if name not in data.categories:
            hint = _hint(key, data)
            raise InputError(f"{source}: {key!r} is no category of {data.source}; {hint}")
        if name in chosen:
            raise InputError(f"{source}: {keys[name]!r} and {key!r} are one category; name it once")
        chosen[name], keys[name] = words, key
    return chosen


def _hint(key: str, data: AnnotationSet) -> str:
    known = [*data.categories, *data.names, *data.category_ids]
    if near := get_close_matches(key, known, n=3):
        return f"did you mean {' or '.join(map(quote, near))}?"
    listed = ", ".join(data.categories[:SHOWN]) + (", …" if len(data.categories) > SHOWN else "")
    return f"it has {listed}"


def _check_different(
    data: AnnotationSet,
    shown: Mapping[str, str],
    chosen: Names,
    own_of: Mapping[str, str],
    source: str,
) -> None:
    """Raises InputError where one word would mean two categories."""
    meant: dict[str, str] = {}
    for name in data.categories:
        synonyms = data.names.get(own_of.get(name, name), (name,))[1:]
        for word in chosen.get(name, (shown[name], *synonyms)):
            other = meant.setdefault(_plain(word), name)
            if other != name:
                raise InputError(
                    f"{source}: {word!r} would mean both {own_of.get(other, other)!r} and "
                    f"{own_of.get(name, name)!r}; give each category words of its own"
                )


def _rename_images(data: AnnotationSet, shown: Mapping[str, str]) -> Sequence[AnnotatedImage]:
    columns = ColumnarImages.of(data.images, data.categories)
    bare = [
        replace(
            image,
            objects=(),
            absent=None if image.absent is None else _rename(image.absent, shown),
            not_exhaustive=_rename(image.not_exhaustive, shown),
        )
        for image in columns.bare
    ]
    objects = replace(columns.objects, names=_rename(columns.objects.names, shown))
    return ColumnarImages(bare, columns.starts, objects)


def _rename(names: Iterable[str], shown: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(shown.get(name, name) for name in names)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
