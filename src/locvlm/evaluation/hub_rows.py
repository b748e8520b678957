"""A data set's rows on the Hugging Face hub, written once as the official files and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fnmatch import fnmatch
from pathlib import Path
from typing import BinaryIO

import msgspec
from pyarrow import ArrowException
from pyarrow import parquet as pq

from locvlm.errors import InputError
from locvlm.evaluation.hub_copies import Copy, OfficialFile, Row, Rows
from locvlm.io.atomic import atomic_write, ensure_dir
from locvlm.media.image_files import safe_name

PICTURES = "pictures"
_DONE = "copy.json"  # repository and revision; written last
_AT_ONCE = 64  # rows in memory


def write_copy(copy: Copy) -> Path:
    """The folder of a copy: one below it for each flag of the command line, and `PICTURES`.

    It lies in the cache of `huggingface_hub`, and a second call needs no network. What was
    downloaded before a stop is not downloaded again.

    Raises:
        InputError: the copy has other columns than it had.
        Exception: whatever the hub's client raises.
    """
    from filelock import FileLock  # the client needs it too
    from huggingface_hub import HfApi, constants, hf_hub_download

    folder = Path(constants.HF_HOME) / "locvlm" / copy.repository.replace("/", "--")
    ensure_dir(folder)
    with FileLock(folder / ".lock"):  # several processes share a run
        if (folder / _DONE).exists():
            return folder
        info = HfApi().dataset_info(copy.repository)
        names = sorted(item.rfilename for item in info.siblings or ())
        for rows in copy.rows:
            files = (
                Path(hf_hub_download(copy.repository, name, repo_type="dataset", revision=info.sha))
                for name in names
                if fnmatch(name, rows.files)
            )
            _write_rows(rows, _rows(files, rows, copy), folder)
        with atomic_write(folder / _DONE) as file:
            file.write(msgspec.json.encode({"hub": copy.repository, "revision": info.sha}))
    return folder


def official_path(folder: Path) -> Path:
    """Of a flag's folder the one file in it, or the folder of several."""
    files = list(folder.iterdir())
    return files[0] if len(files) == 1 else folder


def _rows(files: Iterator[Path], rows: Rows, copy: Copy) -> Iterator[Row]:
    """All rows, at least one."""
    path = None
    for path in files:
        try:
            with pq.ParquetFile(path) as file:
                _check_columns(file.schema_arrow.names, rows, copy)
                for batch in file.iter_batches(_AT_ONCE, columns=list(rows.columns)):
                    yield from batch.to_pylist()
        except ArrowException as error:
            raise InputError(f"{path}: not a Parquet file ({error}); download it again") from None
    if path is None:
        raise InputError(f"{copy.repository} on the hub has no {rows.files}; give the files")


def _check_columns(names: list[str], rows: Rows, copy: Copy) -> None:
    missing = [column for column in rows.columns if column not in names]
    if missing:
        raise InputError(
            f"{copy.repository} on the hub has no column {', '.join(missing)}; give the files"
        )


def _write_rows(rows: Rows, of: Iterator[Row], folder: Path) -> None:
    """Each row to the official files, and its picture where it is the first with it."""
    with ExitStack() as stack:
        begun: dict[Path, tuple[BinaryIO, OfficialFile]] = {}
        for row in of:
            if rows.image_name is not None:
                _write_image(row, folder / PICTURES / _safe_name(rows.image_name(row), folder))
            for flag, form in rows.officials.items():
                path = ensure_dir(folder / flag) / _safe_name(form.name(row), folder)
                if path in begun:
                    begun[path][0].write(form.between)
                else:
                    begun[path] = stack.enter_context(atomic_write(path)), form
                    begun[path][0].write(form.begin)
                begun[path][0].write(form.piece(row))
        for file, form in begun.values():
            file.write(form.end)


def _write_image(row: Row, path: Path) -> None:
    if not path.exists():
        ensure_dir(path.parent)
        with atomic_write(path) as file:
            file.write(row["image"]["bytes"])


def _safe_name(name: str, folder: Path) -> str:
    return safe_name(name, str(folder))
