"""The records of other trainers' data sets: where their text, pictures and sizes are.

    LLaVA, Qwen   {"image": "a.jpg", "conversations": [{"from": "human", "value": "<image>…"}, …]}
    ms-swift      {"messages": [{"role": "user", "content": "<image>…"}, …], "images": ["a.jpg"]}
    TRL           {"prompt": …, "completion": …, "images": […]}, or "messages"; each a string or
                  messages, whose content is a string or parts: [{"type": "text", "text": "…"}, …]

    clips         "video": "a.mp4" or "videos": […], in the text <video>

    all of them   "role" and "content" or "from" and "value"; "reasoning_content", "tool_calls"

    older rows    {"query": …, "response": …} (ms-swift 2), {"prefix": …, "suffix": …} (PaliGemma),
                  {"instruction": …, "input": …, "output": …} (alpaca), {"problem": …,
                  "solution": …} (VLM-R1, whose answers may also be a list of numbers),
                  {"question": …, "answer": …}

TRL's preference pairs (``chosen``, ``rejected``) and ms-swift's ``rejected_response`` are texts
like the others.
"""

from __future__ import annotations

from typing import Any

from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.records.json_text import Path
from locvlm.records.splitting import decode_json_piece

Record = dict[str, Any]

_MESSAGES = ("conversations", "messages", "prompt", "completion", "chosen", "rejected")
_CONTENTS = ("value", "content")
_THOUGHTS = ("reasoning_content", "reasoning")
# Question and answer in two columns; what is between them belongs to the question.
PAIRS = (
    ("query", "response"),
    ("prefix", "suffix"),
    ("instruction", "input", "output"),
    ("problem", "solution"),
    ("question", "answer"),
)
_STRINGS = (
    *("prompt", "completion", "chosen", "rejected", "rejected_response"),
    *(key for keys in PAIRS for key in keys),
)
_SHAPES = {
    *((key,) for key in _STRINGS),
    *((key, 0, text) for key in _MESSAGES for text in (*_CONTENTS, *_THOUGHTS)),
    *((key, 0, text, 0, "text") for key in _MESSAGES for text in _CONTENTS),
    *((key, 0, text, "text") for key in _MESSAGES for text in _CONTENTS),
    *((key, text) for key in ("chosen", "rejected") for text in _CONTENTS),
    *((key, 0, "tool_calls", 0, "function", "arguments") for key in _MESSAGES),
}
_IMAGE_PARTS = ("image", "image_url", "input_image")
_CLIP_PARTS = ("video", "video_url", "input_video")
_NAME_KEYS = ("image", "image_url", "video", "video_url", "path", "url")
# A record has at least one of them
KEYS = tuple(key for key in dict.fromkeys((*_MESSAGES, *_STRINGS)) if key != "question")


def decode_record(data: bytes, place: str) -> Record:
    """A record with at least one text. Raises InputError that names the `place` where it is not."""
    record = decode_json_piece(data, Record, place)
    if not any(key in record for key in KEYS):
        raise InputError(f"{place}: not a record with text; it has none of {', '.join(KEYS)}")
    return record


def holds_text(path: Path) -> bool:
    """Whether the string at `path` of a record is said by somebody."""
    return tuple(0 if isinstance(step, int) else step for step in path) in _SHAPES


def image_names(record: Record) -> list[str]:
    """The names of the record's pictures, each once, in order; embedded ones have no name."""
    return _named(record, ("image", "images"), _IMAGE_PARTS)


def clip_names(record: Record) -> list[str]:
    """The names of the record's clips, likewise."""
    return _named(record, ("video", "videos"), _CLIP_PARTS)


def _named(record: Record, keys: tuple[str, ...], kinds: tuple[str, ...]) -> list[str]:
    named = [record.get(key) for key in keys]
    for key in _MESSAGES:
        for message in _list(record.get(key)):
            parts = [message.get(text) for text in _CONTENTS] if isinstance(message, dict) else []
            named += [part for each in parts for part in _list(each) if _is_of(kinds, part)]
    return list(dict.fromkeys(name for value in named for name in _names(value)))


def declared_size(record: Record, columns: tuple[str, str]) -> Size | None:
    """The (width, height) that two columns of the record say, pixels; None without both.

    Raises:
        ValueError: they are there and are no sizes.
    """
    width, height = (record.get(name) for name in columns)
    if width is None or height is None:
        return None
    for name, value in zip(columns, (width, height), strict=True):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} is {value!r}, not a whole number of pixels")
    return width, height


def _is_of(kinds: tuple[str, ...], part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in kinds


def _names(value: Any) -> list[str]:
    if isinstance(value, str):
        return [] if value.startswith("data:") else [value.removeprefix("file://")]
    if isinstance(value, dict):
        return _names(next((value[key] for key in _NAME_KEYS if value.get(key)), None))
    return [name for item in _list(value) for name in _names(item)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
