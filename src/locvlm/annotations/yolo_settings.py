"""What says where a YOLO data set is and what its classes are called.

data.yaml                  Ultralytics: path, train, val, test, names, kpt_shape
obj.data                   darknet: train = data/train.txt, names = data/obj.names
classes.txt, obj.names …   the names alone, beside folders images and labels
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from locvlm.annotations.class_lists import find_class_list, read_class_list
from locvlm.annotations.splits import canonical_split
from locvlm.errors import InputError
from locvlm.io.reading import (
    is_file,
    is_folder,
    is_unicode,
    list_entries,
    name_of,
    one_line,
    parse_integer,
    quote,
    read_bytes,
    text_lines,
)
from locvlm.media.file_names import FileNames, split_of

SPLITS = ("train", "val", "test")
_DARKNET = {"train": "train", "valid": "val", "val": "val", "test": "test", "names": "names"}

Settings = Mapping[str, Any]


def settings_file(path: Path) -> Path:
    """The file of the settings at `path`: it, or the one in the folder.

    Raises:
        InputError: the folder has none, or several.
    """
    if not is_folder(path):
        return path
    files = sorted(list_entries(path, "*.y*ml"))
    named = [file for file in files if file.stem == "data"]
    if len(named or files) == 1:
        return (named or files)[0]
    with_names = [file for file in named or files if "names" in _tree(file)]
    if len(with_names) == 1:
        return with_names[0]
    darknet = sorted(list_entries(path, "*.data"))
    if not files and len(darknet) == 1:
        return darknet[0]
    listed = None if files else find_class_list(path) or find_class_list(path / "labels")
    if listed is None:
        raise InputError(
            f"{path}: has {len(files)} YAML files; give the one with names and train, or put the "
            "names into classes.txt, one a line"
        )
    return listed


def read_settings(file: Path) -> Settings:
    """All plain values as text, so that no name is read as yes or no.

    Raises:
        InputError: it is neither a YAML file, darknet's, nor a list of names.
    """
    if file.suffix == ".data":
        return _read_darknet(file)
    if file.suffix in (".names", ".txt", ".json", ".labels"):
        names = read_class_list(file)
        return {"names": {str(number): name for number, name in names.items()}}
    tree = _tree(file)
    if not tree:
        raise InputError(f"{file}: not a data.yaml of a YOLO data set; it needs names and train")
    for key in [key for key in tree if canonical_split(key) in SPLITS]:
        tree[canonical_split(key)] = tree.get(canonical_split(key)) or tree[key]  # valid: …
    return tree


def _tree(file: Path) -> dict[str, Any]:
    """Of a YAML file; empty where it holds no keys."""
    try:
        tree = yaml.load(read_bytes(file), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = one_line(str(error))
        raise InputError(f"{file}: not YAML ({quote(reason, 200)}); correct it") from None
    return tree if isinstance(tree, dict) else {}


def _read_darknet(file: Path) -> dict[str, str]:
    """Lines such as ``train = data/train.txt``."""
    found = {}
    for text in text_lines(file):
        key, equals, value = text.partition("=")
        if equals and key.strip() in _DARKNET and value.strip():
            found[_DARKNET[key.strip()]] = value.strip()
    if "names" not in found:
        raise InputError(f"{file}: has no names = FILE; add the list of the class names")
    return found


def class_names(file: Path, root: Path, settings: Settings) -> dict[int, str]:
    """The classes by number, from ``names``: a list, a dict, or the name of a file with a list.

    Without ``names`` they are in the only list of names beside.

    Raises:
        InputError: there are none, or one is no name.
    """
    tree = settings.get("names")
    if isinstance(tree, str) and tree.strip():
        return _names_of_text(file, root, settings, tree.strip())
    if not tree:
        listed = find_class_list(file.parent)
        if listed is not None:
            return read_class_list(listed)
    pairs = _pairs(tree)
    names = {}
    for key, name in pairs:
        if not isinstance(name, str) or not one_line(name) or not is_unicode(name):
            raise InputError(f"{file}: names[{quote(key)}] is no name; give one for each class")
        names[parse_integer(str(key), f"{file}: names")] = name_of(
            name, f"{file}: names[{quote(key)}]"
        )
    if not names:
        raise InputError(f"{file}: has no names; list the classes, as in names: [person, dog]")
    return names


def _pairs(tree: object) -> list[tuple[Any, Any]]:
    if not isinstance(tree, dict):
        return list(enumerate(tree)) if isinstance(tree, list) else []
    numbers = [value for value in tree.values() if isinstance(value, str) and value.isdigit()]
    turned = len(set(numbers)) == len(tree) and not any(str(key).isdigit() for key in tree)
    return [(value, key) for key, value in tree.items()] if turned else list(tree.items())


def _names_of_text(file: Path, root: Path, settings: Settings, text: str) -> dict[int, str]:
    for folder in (file.parent, root):
        found = place_below(folder, text) if is_folder(folder) else None
        if found is not None and is_file(folder / found):
            return read_class_list(folder / found)
    names = [one_line(name) for name in text.strip("[]").split(",")]
    if str(settings.get("nc")) == str(len(names)) and all(names):
        return dict(enumerate(names))
    raise InputError(
        f"{file}: has no names: {quote(text)} is neither a file beside it nor as many names as nc "
        "says; list the classes, as in names: [person, dog]"
    )


def place_below(root: Path, entry: str) -> str | None:
    """The file or folder that `entry` means below `root`, as tools write it; None: there is none.

    Exports of Roboflow have one ``../`` too many; darknet's paths begin where it was started.
    """
    plain = entry.removeprefix("../")
    if plain in ("", ".", "./"):
        return "."
    names = FileNames(root)
    found = names.find_exact(plain, _exists)
    if not found and is_file_name(plain):
        found = names.find_exact(f"/{plain}", is_file)
    if not found:
        return None
    meant = split_of(tuple(plain.replace("\\", "/").split("/")))
    return found.file if meant in ("", split_of((*root.parts, *found.file.split("/")))) else None


def is_file_name(text: str) -> bool:
    """Whether it names a list of pictures or classes, not a folder."""
    return text.endswith((".txt", ".names"))


def find_root(file: Path, settings: Settings, images: Path | None, drops: Counter[str]) -> Path:
    """Folder of the data set: ``path``, or where the file is.

    Data sets that were moved, and those of Ultralytics itself, have a ``path`` that is not there.
    It is then looked for where trainers are started: above the file, here, and in the folder of the
    pictures; taken is the only folder with what the splits name.
    """
    declared = settings.get("path") or "."
    if not isinstance(declared, str):
        raise InputError(f"{file}: path is no folder; give its name")
    declared = declared.replace("\\", "/")
    beside_labels = file.parent.name == "labels" and file.suffix not in (".yaml", ".yml")
    home = file.parent.parent if beside_labels else file.parent
    own, usual = absolute(home), absolute(home / declared)
    there = is_folder(usual)
    if there and _has_splits(usual, settings):
        return usual
    bases = [home, home.parent, Path(), *([images] if images else [])]
    places = [folder for base in bases for folder in (base / declared, base)]
    found = dict.fromkeys(
        absolute(place) for place in places if is_folder(place) and _has_splits(place, settings)
    )
    if len(found) == 1 and own not in found:
        [root] = found
        drops["paths in data.yaml that are not there, found in another folder"] += 1
        return root
    drops["paths in data.yaml that are not there, its own folder taken"] += not there
    return usual if there and own not in found else own


def _has_splits(root: Path, settings: Settings) -> bool:
    """Whether there is all that the splits name; not so where they name nothing."""
    entries = [settings[name] for name in ("train", "val") if settings.get(name)]
    texts = [item for entry in entries for item in (entry if isinstance(entry, list) else [entry])]
    return bool(texts) and all(
        isinstance(text, str) and place_below(root, text) is not None for text in texts
    )


def keypoint_numbers(file: Path, shape: object) -> int:
    """How many numbers behind a box belong to its key points; -1: surely none."""
    if shape is None:
        return 0
    if shape == "none":
        return -1
    if not isinstance(shape, list) or len(shape) != 2:
        raise InputError(f"{file}: kpt_shape is not [number of points, numbers of each]")
    points, numbers = (parse_integer(str(item), f"{file}: kpt_shape") for item in shape)
    return points * numbers


def absolute(path: Path) -> Path:
    """Without ``..``; links are kept, for labels are found by the names of folders."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def _exists(path: Path) -> bool:
    return is_file(path) or is_folder(path)
