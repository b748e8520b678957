"""``learned_images.parquet``, which lies beside a model: what its training showed it.

    image, digest, look

A row per image or clip: the name of its file, the SHA-256 of the file's bytes (32 bytes), its
perceptual hash (`fingerprints`; 32 bytes or none). In the metadata stand the models that it was
trained from and that do not say what they learned from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from locvlm.errors import InputError
from locvlm.io.atomic import atomic_write
from locvlm.io.reading import one_line
from locvlm.media.fingerprints import Fingerprint
from locvlm.models.folders import resolve

FILE = "learned_images.parquet"
_UNKNOWN = b"unknown"  # of the metadata


@dataclass(frozen=True)
class LearnedImages:
    """All that is known of what a model learned from."""

    names: tuple[str, ...] = ()  # of the files, sorted
    prints: tuple[Fingerprint, ...] = ()  # of each
    unknown: tuple[str, ...] = ()  # models that it comes from and that do not say theirs

    @classmethod
    def of(
        cls, images: Iterable[tuple[str, Fingerprint]], unknown: Sequence[str] = ()
    ) -> LearnedImages:
        """Those images, each content once."""
        by_content = {row[1].digest: row for row in sorted(images, key=_order, reverse=True)}
        rows = sorted(by_content.values(), key=_order)
        return cls(
            tuple(name for name, _ in rows),
            tuple(found for _, found in rows),
            tuple(sorted(set(unknown))),
        )

    def __or__(self, other: LearnedImages) -> LearnedImages:
        return LearnedImages.of((*self._rows, *other._rows), (*self.unknown, *other.unknown))

    @property
    def _rows(self) -> Iterator[tuple[str, Fingerprint]]:
        return zip(self.names, self.prints, strict=True)

    def write(self, folder: Path) -> None:
        """To ``folder/learned_images.parquet``, there complete or not at all."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table(
            {
                "image": pa.array(self.names, pa.string()),
                "digest": pa.array([bytes.fromhex(p.digest) for p in self.prints], pa.binary(32)),
                "look": pa.array([p.look or None for p in self.prints], pa.binary(32)),
            }
        ).replace_schema_metadata({_UNKNOWN: json.dumps(self.unknown)})
        with atomic_write(folder / FILE) as file:
            pq.write_table(table, file, compression="zstd", use_dictionary=False)


def read_learned(folder: Path) -> LearnedImages | None:
    """Of the model in a folder; None: it does not say.

    Raises:
        InputError: the file is not one of these.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            table = file.read(use_threads=False)
        unknown = json.loads((table.schema.metadata or {}).get(_UNKNOWN, b"[]"))
        names, digests, looks = (table[key].to_pylist() for key in ("image", "digest", "look"))
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise InputError(
            f"{path}: not what LocVLM has written ({one_line(str(error))}); put it back, or remove "
            "it if nobody needs to know what the model learned from"
        ) from None
    prints = (Fingerprint(d.hex(), look or b"") for d, look in zip(digests, looks, strict=True))
    return LearnedImages(tuple(names), tuple(prints), tuple(unknown))


def learned_by(name: str | Path) -> LearnedImages | None:
    """Of a model by name or folder; None: it does not say. An adapter speaks for its base, too.

    Raises:
        InputError: there is no such model, or its file is none of these.
    """
    return read_learned(resolve(name)[0])


def _order(row: tuple[str, Fingerprint]) -> tuple[str, str]:
    name, found = row
    return name, found.digest
