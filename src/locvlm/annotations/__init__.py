"""Readers of annotation files by name (see `locvlm.annotations.readers`).

>>> names()
['built', 'coco', 'cvat', 'datasets', 'flickr30k', 'labelme', 'labelstudio', 'lvis', 'objects365', \
'openimages', 'refcoco', 'supervisely', 'table', 'via', 'visualgenome', 'voc', 'yolo']
"""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locvlm.annotations.evidence import Evidence
from locvlm.annotations.other_forms import tell_other_form
from locvlm.annotations.reader import SPLIT, AnnotationReader
from locvlm.annotations.readers import READERS, ReaderName
from locvlm.errors import InputError
from locvlm.io.links import identity_of
from locvlm.io.reading import is_file, is_folder

if TYPE_CHECKING:
    from locvlm.annotations.base import AnnotationSet

__all__ = ["AnnotationReader", "ReaderName", "detect_format", "get", "names", "read", "takes"]


def names() -> list[str]:
    """The known readers, sorted."""
    return sorted(READERS)


def get(name: str) -> AnnotationReader:
    """The reader `name`. Raises InputError where there is none."""
    if name not in READERS:
        raise InputError(f"unknown form of annotations {name!r}; known: {', '.join(names())}")
    return READERS[name]


def takes(name: str, option: str) -> bool:
    """Whether the reader `name` has such an option. Raises InputError where there is no reader."""
    return option in ("images", SPLIT, *get(name).options)


def read(
    name: str, path: str | Path, *, images: str | Path | None = None, **options: Any
) -> AnnotationSet:
    """The annotations at `path`, by the reader `name` with its further `options`.

    Raises:
        InputError: no such reader or option, or whatever the reader cannot use.
    """
    return get(name)(path, images=images, **options)


def detect_format(path: str | Path) -> tuple[str, str]:
    """The name of the reader for `path`, and in words why.

    Raises:
        InputError: there is nothing, or its form cannot be told.
    """
    path = Path(path)
    if not is_file(path) and not is_folder(path):
        identity_of(path)  # links that lead in a circle are told
        raise InputError(f"{path}: No such file or folder; check the path")
    keys = {key for reader in READERS.values() for key in reader.json_keys}
    evidence_of = lru_cache(None)(partial(Evidence, json_keys=keys))
    reasons = {name: reader.recognize(evidence_of(path)) for name, reader in READERS.items()}
    found = [(name, reason) for name, reason in reasons.items() if reason]
    if not found:
        for name, reader in READERS.items():
            if parts := reader.find_parts(path, evidence_of):
                reason = reader.recognize(evidence_of(parts[0].path))
                splits = ", ".join(part.path.relative_to(path).as_posix() for part in parts)
                found.append((name, f"{splits}: {reason}"))
    if len(found) == 1:
        return found[0]
    if not found and (other := tell_other_form(path)):
        raise InputError(f"{path}: looks like {other}")
    seen = " and ".join(f"{name} ({reason})" for name, reason in found) or "nothing known in it"
    raise InputError(
        f"{path}: the form of these annotations cannot be told: {seen}; it may be one of "
        f"{', '.join(names())}; give --from NAME"
    )
