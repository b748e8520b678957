"""Long work in parts that are written whole: nothing of it is lost, and nothing done twice.

    FOLDER/settings.json   what the work was begun with; it goes on only under the same
    FOLDER/000007.jsonl    the rows of the eighth batch: there complete or not at all

Whoever does a batch sends its rows to the process that began the work, which alone writes. So
workers need no disk of their own, and a killed worker, or a killed run, leaves whole parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from locvlm.errors import InputError
from locvlm.io.atomic import ensure_dir
from locvlm.io.digests import digest_bytes
from locvlm.io.json_rows import json_rows, write_json, write_rows
from locvlm.io.own_files import read_own_json
from locvlm.parallel.workers import Place, map_as_completed
from locvlm.progress import count_progress

SETTINGS = "settings.json"

T = TypeVar("T")
R = TypeVar("R")


def run_in_parts(
    function: Callable[[Sequence[T]], Sequence[R]],
    items: Sequence[T],
    folder: Path,
    settings: Mapping[str, Any],
    *,
    kind: type[R],
    doing: str,
    batch_size: int = 16,
    engine: Place = "local",
    workers: int = 1,
    gpu: bool = True,
) -> Iterator[R]:
    """The rows of all items, in their order; batches that are done already are read.

    An item whose row has an ``error`` (of a file that cannot be read) is tried again.

    Args:
        function: makes the rows of a batch; see `map_as_completed` for what it must be able to.
        items: what there is to do, such as pictures.
        folder: of the parts; `remove_parts` once the rows are safe elsewhere.
        settings: all that the rows depend on beside the items.
        kind: of a row, for reading.
        doing: what the bar is called.
        batch_size: items per batch: what a kill can cost per worker.
        engine: where the work is done (see `map_as_completed`).
        workers: how many do it.
        gpu: `function` uses a GPU where there is one.

    Raises:
        InputError: the folder holds parts of other work, or something else; or `function` refuses
            an item.
    """
    batches = [items[start : start + batch_size] for start in range(0, len(items), batch_size)]
    parts = [folder / f"{number:06d}.jsonl" for number in range(len(batches))]
    wanted = {**settings, "batch_size": batch_size, "items": _digest(items)}
    _check(folder, wanted)
    wanting = [_missing_rows(part, kind, len(b)) for part, b in zip(parts, batches, strict=True)]
    left = [place for place, rows in enumerate(wanting) if rows]
    todo = [[batches[place][row] for row in wanting[place]] for place in left]
    with count_progress(len(todo), doing) as advance:
        for number, rows in map_as_completed(
            function, todo, engine=engine, workers=workers, gpu=gpu
        ):
            # Not before the first rows are there: a mistake, such as a wrong model, leaves nothing
            if not (folder / SETTINGS).exists():
                write_json(ensure_dir(folder) / SETTINGS, wanted)
            place = left[number]
            write_rows(parts[place], _fill_in(parts[place], kind, wanting[place], rows))
            advance(1)
    for part in parts:
        yield from _rows(part, kind)


def remove_parts(folder: Path) -> None:
    """Remove the parts once their rows are safe elsewhere; a kill in between does no harm."""
    others = [path for path in folder.iterdir() if path.name != SETTINGS]
    for path in (*others, folder / SETTINGS):  # by these a rerun knows whose the rest is
        path.unlink(missing_ok=True)
    folder.rmdir()


def _rows(part: Path, kind: type[R]) -> Iterator[R]:
    return (row for _, row in json_rows(part, kind, "rows of unfinished work"))


def _missing_rows(part: Path, kind: type[Any], count: int) -> list[int]:
    """Places of the rows that are not there, or failed: what is broken may have been mended."""
    if not part.exists():
        return list(range(count))
    return [place for place, row in enumerate(_rows(part, kind)) if getattr(row, "error", "")]


def _fill_in(part: Path, kind: type[R], places: Sequence[int], rows: Sequence[R]) -> Sequence[R]:
    """All rows of a part, with those that were done just now in their places."""
    if not part.exists():
        return rows
    whole = list(_rows(part, kind))
    for place, row in zip(places, rows, strict=True):
        whole[place] = row
    return whole


def _check(folder: Path, settings: Mapping[str, Any]) -> None:
    """Raises InputError where the folder holds other work, or something else."""
    file = folder / SETTINGS
    if not file.exists():
        if folder.exists() and any(path.suffix != ".part" for path in folder.iterdir()):
            raise InputError(f"{folder}: holds something else than unfinished work; move it away")
        return
    wanted = msgspec.json.decode(msgspec.json.encode(settings))
    begun = read_own_json(file, dict[str, Any], "the settings of unfinished work")
    for key in {**begun, **wanted}:
        if begun.get(key) != wanted.get(key):
            other = f"{key} {begun.get(key)!r}, not {wanted.get(key)!r}"
            other = "other pictures or boxes" if key == "items" else other
            raise InputError(
                f"{folder}: holds unfinished work with {other}; finish that, or remove the folder"
            )


def _digest(items: Sequence[Any]) -> str:
    return digest_bytes(msgspec.json.encode(list(items)))[:16]
