"""Lists of the pictures of each split beside Pascal VOC's annotations.

    ImageSets/Main/train.txt       2007_000027          a picture a line
    ImageSets/Main/dog_train.txt   2007_000027 -1       of a category: 1 there, -1 not, 0 difficult
    ImageSets/train.txt, train.txt                      where other tools write them

A line may be a path, with an ending, with the XML file behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from locvlm.annotations.drops import note
from locvlm.annotations.splits import TEST, TRAIN, VAL, canonical_split
from locvlm.io.reading import is_file, list_entries, text_lines
from locvlm.media.image_files import IMAGE_SUFFIXES

USUAL = (TRAIN, VAL, TEST)
MISSING = "lines in the lists of splits without an XML file"
ENDINGS = (".xml", *IMAGE_SUFFIXES)
_MARKS = ("-1", "0", "1")


def read_lists(path: Path, stems: Collection[str], drops: Counter[str]) -> dict[str, set[str]]:
    """Split -> the names of its files without ending; empty where there are no lists.

    Args:
        path: of the annotations.
        stems: of the XML files; lines of no such file are counted in `drops`.
    """
    home = path.parent if path.name == "Annotations" else path
    for folder in (home / "ImageSets" / "Main", home / "ImageSets", home):
        files = sorted(filter(is_file, list_entries(folder, "*.txt")))
        lists = _read_whole(files) or _read_categories(files)
        found = {name: [_find_stem(line, stems) for line in lines] for name, lines in lists.items()}
        if lists and (folder != home or any(map(any, found.values()))):
            for name, lines in lists.items():
                for line, stem in zip(lines, found[name], strict=True):
                    if not stem:
                        note(drops, MISSING, line)
            return {name: set(filter(None, each)) for name, each in found.items()}
    return {}


def _read_whole(files: Sequence[Path]) -> dict[str, list[str]]:
    """Split -> lines of the list that is called as it; without train and val trainval is train."""
    named: dict[str, Path] = {}
    for file in files:
        split = canonical_split(file.stem)
        if split in USUAL and (split not in named or file.stem == split):
            named[split] = file
    both = [file for file in files if file.stem == "trainval"]
    if both and not {TRAIN, VAL} & named.keys():
        named[TRAIN] = both[0]
    return _keep_filled({split: _lines(named[split]) for split in USUAL if split in named})


def _read_categories(files: Sequence[Path]) -> dict[str, list[str]]:
    """Split -> lines of the lists of single categories, each picture once."""
    found: dict[str, dict[str, None]] = {split: {} for split in USUAL}
    for file in files:
        split = canonical_split(file.stem.rpartition("_")[2])
        words = [line.split() for line in _lines(file)] if split in USUAL else []
        if all(len(each) == 2 and each[1] in _MARKS for each in words):
            found[split] |= dict.fromkeys(name for name, _ in words)
    return _keep_filled({split: list(names) for split, names in found.items()})


def _keep_filled(lists: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: lines for name, lines in lists.items() if lines}


def _lines(file: Path) -> list[str]:
    return [line for text in text_lines(file) if (line := text.strip())]


def _find_stem(line: str, stems: Collection[str]) -> str:
    """The XML file that a line means, by all of it or its first word; empty: there is none."""
    for text in dict.fromkeys((line, line.split()[0])):
        name = PurePosixPath(text.replace("\\", "/"))
        if name.name in stems:
            return name.name
        if name.suffix.lower() in ENDINGS and name.stem in stems:
            return name.stem
    return ""
