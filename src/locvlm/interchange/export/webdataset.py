"""WebDataset: a folder of tar files, ``000000.tar`` and on, with each picture beside its text.

    000000000.jpg   the picture's file, as it is
    000000000.json  {"image": "a.jpg", "width": 640, "height": 480, "conversations": [{"from": …

The text is LLaVA's. A new tar begins where the last one would grow beyond the size asked for.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from locvlm.errors import InputError
from locvlm.interchange.export import llava
from locvlm.interchange.export.base import IMAGE, ExportOptions, ExportSample, ExportTarget
from locvlm.io.outputs import Reads, fill_output_folder

MEGABYTE = 1_000_000


def write(samples: Iterable[ExportSample], out: Path, options: ExportOptions) -> None:
    """Write the folder `out`, new, empty or a former one; it is there complete or not at all."""
    if options.shard_size < 1:
        raise InputError(f"shard size {options.shard_size}: give at least 1 (megabyte)")
    with fill_output_folder(out, "export --to webdataset", Reads()) as folder:
        _write_shards(samples, folder, options.shard_size * MEGABYTE)


def _write_shards(samples: Iterable[ExportSample], folder: Path, limit: int) -> None:
    """Tar files of at most `limit` bytes, or of one sample that is larger."""
    tar, shards = None, 0
    try:
        for number, sample in enumerate(samples):
            files = _files(sample, number)
            size = sum(_tar_size(content) for content in files.values())
            if tar is None or (tar.offset and tar.offset + size + tarfile.RECORDSIZE > limit):
                if tar is not None:
                    tar.close()
                tar, shards = tarfile.open(folder / f"{shards:06}.tar", "w"), shards + 1  # noqa: SIM115
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    finally:
        if tar is not None:
            tar.close()


def _files(sample: ExportSample, number: int) -> dict[str, bytes]:
    suffix = sample.path.suffix.lower().replace(".jpeg", ".jpg")
    return {
        f"{number:09}{suffix}": sample.path.read_bytes(),
        f"{number:09}.json": msgspec.json.encode(llava.to_record(sample)),
    }


def _tar_size(content: bytes) -> int:
    """Bytes in a tar file: a block of header, and whole blocks of content."""
    return tarfile.BLOCKSIZE * (1 - -len(content) // tarfile.BLOCKSIZE)


TARGET = ExportTarget(name="webdataset", write=write, reserved=(IMAGE,), is_folder=True)
