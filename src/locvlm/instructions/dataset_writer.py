"""Writing an instruction data set, whose form `dataset` describes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from locvlm.errors import InputError
from locvlm.instructions.base import Conversation
from locvlm.instructions.dataset import (
    DATA,
    MANIFEST,
    OBJECTS,
    Manifest,
    check_output_folder,
)
from locvlm.io.atomic import part_path
from locvlm.io.digests import digest_file
from locvlm.io.outputs import Reads

if TYPE_CHECKING:
    import pyarrow as pa


class DatasetWriter:
    """Writes a data set piece by piece; it appears whole with `close`, or not at all.

    A writer that is killed in between leaves part files, or a manifest that does not fit the data,
    which `read_dataset` tells and a further writer repairs.

    Raises:
        InputError: the folder holds something else, or cannot be written.
    """

    def __init__(self, folder: Path, reads: Reads | None = None):
        """`reads`: what the data set is made of, see `check_output_folder`."""
        check_output_folder(folder, reads)
        self.folder = folder
        self._files: dict[str, Any] = {}  # Parquet files that were begun, by name

    def write(self, rows: pa.RecordBatch) -> None:
        """Add rows of `arrow.SCHEMA`; they are on disk when this returns."""
        self._write_to(DATA, rows)

    def write_objects(self, rows: pa.RecordBatch) -> None:
        """Add annotated pictures, rows of `object_rows.SCHEMA`."""
        self._write_to(OBJECTS, rows)

    def close(self, manifest: Manifest) -> Manifest:
        """All files into place; returns the manifest with the digests of the data."""
        digests = {"data_sha256": "", "objects_sha256": ""}
        try:
            for name, field in zip((DATA, OBJECTS), digests, strict=True):
                if name in self._files:
                    self._files[name].close()
                    digests[field] = digest_file(part_path(self.folder / name))
            manifest = msgspec.structs.replace(manifest, **digests)
            part_path(self.folder / MANIFEST).write_bytes(
                msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
            )
            for name in (MANIFEST, *self._files):  # in this order: the manifest owns
                os.replace(part_path(self.folder / name), self.folder / name)
            if OBJECTS not in self._files:  # of the data set that was there before
                (self.folder / OBJECTS).unlink(missing_ok=True)
        except OSError as error:
            raise self._write_error(error) from None
        return manifest

    def discard(self) -> None:
        """Give up: what was written so far goes."""
        if not self._files:
            return
        for file in self._files.values():
            with suppress(OSError):  # it is not wanted, so it need not be whole
                file.close()
        for name in (DATA, OBJECTS, MANIFEST):
            part_path(self.folder / name).unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _write_to(self, name: str, rows: pa.RecordBatch) -> None:
        """Rows into a Parquet file, made with the first ones."""
        import pyarrow.parquet as pq

        try:
            if name not in self._files:
                self.folder.mkdir(parents=True, exist_ok=True)
                path = part_path(self.folder / name)
                self._files[name] = pq.ParquetWriter(path, rows.schema, compression="zstd")
            self._files[name].write_batch(rows)
        except OSError as error:
            raise self._write_error(error) from None

    def _write_error(self, error: OSError) -> InputError:
        return InputError(f"{self.folder}: cannot be written ({error.strerror or error})")


def write_dataset(
    folder: Path, conversations: Sequence[Conversation], *, manifest: Manifest
) -> Manifest:
    """Write a whole data set at once. Raises InputError as `DatasetWriter`."""
    from locvlm.instructions.arrow import encode_conversations

    writer = DatasetWriter(folder)
    writer.write(encode_conversations(conversations))
    return writer.close(manifest)
