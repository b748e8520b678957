r"""Other instruction data mixed in, in the JSON form of LLaVA-Instruct (arXiv 2304.08485).

    [{"id": "1", "image": "1.jpg", "conversations": [
        {"from": "human", "value": "<image>\nWhat is this?"}, {"from": "gpt", "value": "A dog."}]}]

Each question with its answer becomes an instruction of its own, of the objective ``mixed``; what
followed up on an earlier answer does so no more, and is counted.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from locvlm.annotations.pictures import safe_name
from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.inference.pictures import size_of
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.render import LOC, REPR

NAME = "mixed"
PICTURE = "<image>"


class _Message(msgspec.Struct, rename={"role": "from"}):
    role: str
    value: str


class _Row(msgspec.Struct):
    conversations: list[_Message]
    id: Any = None
    image: str | None = None


def wanted(built: int, ratio: float) -> int:
    """How many conversations beside `built` ones make up the share `ratio` of all."""
    return round(built * ratio / (1 - ratio))


def mixed(
    path: Path,
    count: int,
    *,
    sizes: Mapping[str, Size],
    images: Path | None,
    seed: int,
    drops: Counter[str],
) -> list[Conversation]:
    """`count` conversations of the file, drawn by `seed`; fewer where it has no more.

    Args:
        path: the JSON file.
        count: conversations that are wanted.
        sizes: (width, height) of pictures by their file names, as far as they are known.
        images: folder of the pictures, for the sizes of others.
        seed: of the choice.
        drops: counts what cannot be used, of the rows that were looked at.

    Raises:
        InputError: the file cannot be read or has another form.
    """
    rows = _read(path)
    order = random.Random(f"{seed}/mix").sample(range(len(rows)), len(rows))
    made: list[Conversation] = []
    for place in order:
        if len(made) == count:
            break
        row = rows[place]
        pairs = _pairs(row, drops)
        size = _size(row.image, sizes, images, drops) if pairs else None
        if row.image and pairs and size:
            made.append(Conversation(row.image, *size, tuple(pairs), path.name))
    drops["mixed conversations that the file has too few of"] += count - len(made)
    return made


def _read(path: Path) -> list[_Row]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[_Row])
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not instruction data of LLaVA's form: {error}") from None


def _pairs(row: _Row, drops: Counter[str]) -> list[Instruction]:
    """The questions with their answers; none where the row cannot be used."""
    said = row.conversations
    roles = [message.role for message in said]
    if row.image is None:
        drops["mixed rows without a picture"] += 1
        return []
    if not said or roles != ["human", "gpt"] * (len(said) // 2):
        drops["mixed rows that are not question and answer in turn"] += 1
        return []
    if any(place in message.value for message in said for place in (LOC, REPR)):
        drops[f"mixed rows whose text has {LOC} or {REPR}, which would be filled"] += 1
        return []
    texts = [message.value.replace(PICTURE, "").strip() for message in said]
    if not all(texts):
        drops["mixed rows with an empty text"] += 1
        return []
    drops["follow-up questions mixed in without what came before"] += len(texts) // 2 - 1
    return [Instruction(NAME, *pair) for pair in zip(texts[::2], texts[1::2], strict=True)]


def _size(
    name: str | None, sizes: Mapping[str, Size], images: Path | None, drops: Counter[str]
) -> Size | None:
    """Of the picture as displayed, from the annotations or its file."""
    if name is not None and name in sizes:
        return sizes[name]
    try:
        if images is None or name is None:
            raise InputError("no picture")
        return size_of(images / safe_name(name, "a mixed row"))
    except InputError:
        drops["mixed rows whose picture cannot be read"] += 1
        return None
