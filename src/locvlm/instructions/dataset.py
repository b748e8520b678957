"""An instruction data set on disk: a folder with ``instructions.parquet`` and ``manifest.json``.

One row is one conversation, its instructions nested, locations as numbers in original pixels:

    image, width, height, source, instructions: [{objective, question, answer, kind,
    locations: [[x1, y1, x2, y2] or [x, y], …], evidence: likewise}, …]
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from locvlm.errors import InputError
from locvlm.geometry import coords_of, location_from
from locvlm.instructions.base import Conversation, Instruction

DATA, MANIFEST, PART = "instructions.parquet", "manifest.json", ".part"
VERSION = 1


class Manifest(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="locvlm-data"):
    """What a data set was made from, how, and what is in it."""

    version: int = VERSION  # of this form of data set
    annotations: str  # detection file, or file of texts, absolute path
    annotations_sha256: str
    captions: str = ""  # captions file, absolute path; empty: none
    captions_sha256: str = ""
    images: str  # folder of the pictures, absolute path
    reader: str = "coco"
    coordinates: dict[str, Any] = {}  # of the texts it was read from: {"format", "options"}
    categories: tuple[str, ...]  # all that the detection file annotates
    objectives: tuple[str, ...]
    location: str = "box"  # "box", "point" or "both"
    seed: int = 0
    min_area: float = 0.0  # share of the picture's area below which nothing is asked
    pictures: int  # with at least one instruction: the rows
    counts: dict[str, int]  # objective -> instructions
    drops: dict[str, int]  # reason -> how many were left out or changed
    data_sha256: str = ""  # of the Parquet file


def write_dataset(
    folder: Path, conversations: Sequence[Conversation], *, manifest: Manifest
) -> Manifest:
    """Write both files, each there complete or not at all; the manifest with the data's digest.

    A writer that is killed between them leaves a manifest that does not fit the data, which
    `read_dataset` tells and a further `write_dataset` repairs.

    Raises:
        InputError: the folder holds something else, or cannot be written.
    """
    check_out(folder)
    data = _parquet(conversations)
    manifest = msgspec.structs.replace(manifest, data_sha256=hashlib.sha256(data).hexdigest())
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    files = {folder / MANIFEST: text, folder / DATA: data}  # in this order: the manifest owns
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            _part(path).write_bytes(content)
        for path in files:
            os.replace(_part(path), path)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror})") from None
    return manifest


def check_out(folder: Path) -> None:
    """Raise InputError unless the folder is new, empty or holds a data set (to be replaced)."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file; give a folder for the data set")
    leftovers = {DATA + PART, MANIFEST + PART}
    if any(path.name not in leftovers for path in folder.iterdir()):
        try:
            read_manifest(folder)
        except InputError:
            raise InputError(
                f"{folder}: holds something else than a data set; give a new or empty folder"
            ) from None


def read_manifest(folder: Path) -> Manifest:
    """Raises InputError where there is no data set, or one of another version."""
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError:
        raise InputError(
            f"{folder}: no data set here ({MANIFEST} cannot be read); make one with locvlm build"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a manifest of locvlm build: {error}") from None
    if manifest.version != VERSION:
        raise InputError(
            f"{path}: has version {manifest.version}, this LocVLM reads {VERSION}; build it again"
        )
    return manifest


def read_dataset(folder: Path) -> list[Conversation]:
    """The conversations as they were written.

    Raises:
        InputError: there is no data set, or its data do not belong to its manifest.
    """
    import pyarrow.parquet as pq

    manifest = read_manifest(folder)
    path = folder / DATA
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); build the data set again"
        ) from None
    if hashlib.sha256(data).hexdigest() != manifest.data_sha256:
        raise InputError(
            f"{path}: is not the file that {MANIFEST} was written for; build the data set again"
        )
    return [_conversation(row) for row in pq.read_table(io.BytesIO(data)).to_pylist()]


def _part(path: Path) -> Path:
    return path.with_name(path.name + PART)


def schema() -> Any:
    """The Arrow schema of the data set's columns."""
    import pyarrow as pa

    instruction = pa.struct(
        {
            "objective": pa.string(),
            "question": pa.string(),
            "answer": pa.string(),
            "kind": pa.string(),
            "locations": pa.list_(pa.list_(pa.float64())),
            "evidence": pa.list_(pa.list_(pa.float64())),
        }
    )
    return pa.schema(
        {
            "image": pa.string(),
            "width": pa.int64(),
            "height": pa.int64(),
            "source": pa.string(),
            "instructions": pa.list_(instruction),
        }
    )


def row_of(conversation: Conversation) -> dict[str, Any]:
    """A conversation as a row of `schema`."""
    return {
        "image": conversation.image,
        "width": conversation.width,
        "height": conversation.height,
        "source": conversation.source,
        "instructions": [
            {
                "objective": item.objective,
                "question": item.question,
                "answer": item.answer,
                "kind": item.kind,
                "locations": [coords_of(place) for place in item.locations],
                "evidence": [coords_of(place) for place in item.evidence],
            }
            for item in conversation.instructions
        ],
    }


def _parquet(conversations: Sequence[Conversation]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [row_of(conversation) for conversation in conversations]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema()), buffer, compression="zstd")
    return buffer.getvalue()


def _conversation(row: dict[str, Any]) -> Conversation:
    items = []
    for item in row.pop("instructions"):
        locations, evidence = (
            tuple(location_from(numbers) for numbers in item.pop(name))
            for name in ("locations", "evidence")
        )
        items.append(Instruction(**item, locations=locations, evidence=evidence))
    return Conversation(**row, instructions=tuple(items))
