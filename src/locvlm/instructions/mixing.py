r"""Other instruction data mixed in, in the form of LLaVA-Instruct (arXiv 2304.08485).

    [{"id": "1", "image": "1.jpg", "conversations": [
        {"from": "human", "value": "<image>\nWhat is this?"}, {"from": "gpt", "value": "A dog."}]}]

Each question with its answer becomes an instruction of its own, of the objective ``mixed``; what
followed up on an earlier answer does so no more, and is counted.
"""

from __future__ import annotations

import posixpath
import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.instructions.base import MIXED, Conversation, Instruction
from locvlm.instructions.clip_faces import check_copyable, is_moving
from locvlm.instructions.render import LOC, REPR
from locvlm.media.headers import read_header
from locvlm.media.image_files import safe_name
from locvlm.media.images import open_image
from locvlm.media.opening import is_clip_only, read_media_header
from locvlm.records.fields import clip_names, decode_record, image_names
from locvlm.records.splitting import iterate_records
from locvlm.records.turns import Message, turns_of


def count_to_mix(built: int, ratio: float) -> int:
    """How many conversations beside `built` ones make up the share `ratio` of all."""
    return round(built * ratio / (1 - ratio))


def read_mixed(
    path: Path,
    count: int,
    *,
    sizes: Mapping[str, Size],
    images: Path | None,
    seed: int,
    drops: Counter[str],
    pixels: bool = False,
    held_out: Collection[str] = (),
) -> list[Conversation]:
    """`count` conversations of the file, drawn by `seed`; fewer where it has no more.

    Args:
        path: JSON or JSON lines (see `locvlm.records.splitting`).
        count: how many conversations.
        sizes: (width, height) of pictures by their file names, as far as they are known.
        images: folder of the pictures, for the sizes of others.
        seed: of the choice.
        drops: counts what cannot be used, of the rows that were looked at.
        held_out: names of images of other splits, about which nothing is to be learned.
        pixels: decode these others, and all frames of clips, for what is broken behind headers.

    Raises:
        InputError: the file cannot be read or a row has another form (its line is named).
    """
    rows = list(iterate_records(path))
    forbidden = frozenset(held_out)
    conversations: list[Conversation] = []
    for data, place in random.Random(f"{seed}/mix").sample(rows, len(rows)):
        if len(conversations) == count:
            break
        row = decode_record(data, place)
        names, turns = [*image_names(row), *clip_names(row)], turns_of(row, "llava")
        reason = _reason_unusable(names, turns, forbidden)
        size = None if reason else _image_size(names[0], sizes, images, pixels)
        if size is None:
            drops[reason or "mixed rows whose picture cannot be read"] += 1
            continue
        pairs = _to_instructions(turns)
        drops["follow-up questions mixed in without what came before"] += len(pairs) - 1
        conversations.append(Conversation(names[0], *size, pairs, path.name))
    drops["mixed conversations that the file has too few of"] += count - len(conversations)
    return conversations


def _reason_unusable(
    names: Sequence[str], turns: Sequence[Message], held_out: frozenset[str]
) -> str:
    """Why a row cannot be used; empty where it can."""
    if not names:
        return "mixed rows without a picture"
    if len(names) > 1:
        return "mixed rows with several pictures"
    if posixpath.normpath(names[0]) in held_out:
        return "mixed rows about pictures of another split"
    roles = [turn.role for turn in turns]
    if not turns or roles != ["user", "assistant"] * (len(turns) // 2):
        return "mixed rows that are not question and answer in turn"
    if any(text in turn.text for turn in turns for text in (LOC, REPR)):
        return f"mixed rows whose text has {LOC} or {REPR}, which would be filled"
    return "" if all(turn.text.strip() for turn in turns) else "mixed rows with an empty text"


def _to_instructions(turns: Sequence[Message]) -> tuple[Instruction, ...]:
    """The questions with their answers."""
    texts = [turn.text.strip() for turn in turns]
    return tuple(Instruction(MIXED, *pair) for pair in zip(texts[::2], texts[1::2], strict=True))


def _image_size(
    name: str, sizes: Mapping[str, Size], images: Path | None, pixels: bool
) -> Size | None:
    """Of the picture as displayed, from the annotations or its file; None: in neither."""
    if name in sizes:
        return sizes[name]
    if images is None:
        return None
    try:
        path = images / safe_name(name, "a mixed row")
        if pixels and is_moving(path):
            check_copyable(path)
        if is_clip_only(path):
            return read_media_header(path).displayed
        return open_image(path).size if pixels else read_header(path).displayed
    except InputError:
        return None
