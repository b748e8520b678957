"""What is said in a record of another trainer's data set, in one form for all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from locvlm.records.fields import PAIRS, Record, clip_names

IMAGE, VIDEO = "<image>", "<video>"
_ROLES = {"human": "user", "gpt": "assistant"}


class Message(NamedTuple):
    """One message."""

    role: str  # "user", "assistant", or another
    text: str  # without the picture's or clip's place
    has_text: bool = True  # False: a call of a tool, an object, nothing at all


def turns_of(record: Record, source: str) -> list[Message]:
    """The messages of a record; empty where it has none in the form of `source`."""
    said = [
        (_ROLES.get(role, role), _text(content), _has_text(content))
        for role, content in _SOURCES[source](record) or _two_columns(record)
    ]
    of_clip = any(VIDEO in text for _, text, _ in said) and bool(clip_names(record))
    marks = (IMAGE, VIDEO) if of_clip else (IMAGE,)
    return [Message(role, _remove_marks(text, marks), has_text) for role, text, has_text in said]


def names() -> list[str]:
    """The known sources, sorted."""
    return sorted(_SOURCES)


def _conversations(record: Record) -> list[tuple[str, Any]]:
    """LLaVA and Qwen: ``{"from": "human", "value": "…"}``; or what others have."""
    return _messages(record.get("conversations")) or _messages(record.get("messages"))


def _swift(record: Record) -> list[tuple[str, Any]]:
    """ms-swift: ``{"role": "user", "content": "…"}``; or what others have."""
    return _messages(record.get("messages")) or _messages(record.get("conversations"))


def _trl(record: Record) -> list[tuple[str, Any]]:
    """TRL: prompt and completion, strings or messages; or messages alone."""
    if "prompt" not in record:
        return _swift(record)
    messages = []
    for key, role in (("prompt", "user"), ("completion", "assistant")):
        value = record.get(key)
        if isinstance(value, str):
            messages.append((role, value))
        else:
            messages += _messages(value)
    return messages


_SOURCES: dict[str, Callable[[Record], list[tuple[str, Any]]]] = {
    "llava": _conversations,
    "qwen": _conversations,
    "swift": _swift,
    "trl": _trl,
}


def _two_columns(record: Record) -> list[tuple[str, Any]]:
    """Question and answer as columns of their own, and what was said before (``history``)."""
    keys = next((keys for keys in PAIRS if keys[0] in record and keys[-1] in record), None)
    if keys is None:
        return []
    said = record.get("history")
    before = [
        (role, text)
        for pair in (said if isinstance(said, list) else [])
        if isinstance(pair, list) and len(pair) == 2
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
    asked = "\n".join(text for key in keys[:-1] if (text := _text(record.get(key))))
    return [*before, ("user", asked), ("assistant", record[keys[-1]])]


def _messages(value: Any) -> list[tuple[str, Any]]:
    """Roles and contents, in the words of OpenAI or of LLaVA."""
    messages = value if isinstance(value, list) else []
    return [
        (str(m.get("role", m.get("from"))), m.get("content", m.get("value")))
        for m in messages
        if isinstance(m, dict)
    ]


def is_numbers(content: Any) -> bool:
    """Whether a message is one location, as a list of numbers, instead of a text."""
    return (
        isinstance(content, list)
        and len(content) in (2, 4)
        and all(isinstance(n, int | float) and not isinstance(n, bool) for n in content)
    )


def _text(content: Any) -> str:
    """A string, or the texts among parts."""
    if isinstance(content, str):
        return content
    if is_numbers(content):  # VLM-R1: a location as it is
        return json.dumps(content)
    return "".join(_texts(content))


def _has_text(content: Any) -> bool:
    return isinstance(content, str) or is_numbers(content) or bool(_texts(content))


def _texts(content: Any) -> list[str]:
    """Those of the parts of a message."""
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return [text for text in texts if isinstance(text, str)]


def _remove_marks(text: str, marks: tuple[str, ...]) -> str:
    for mark in marks:
        if mark not in text:
            continue
        for place in (f"{mark}\n", f"\n{mark}", mark):
            text = text.replace(place, "")
    return text


def turns_with_numbers(record: Record) -> list[list[float]]:
    """The lists of two or four numbers in messages of a record that are no text."""
    said = [*_messages(record.get("conversations")), *_messages(record.get("messages"))]
    contents = [content for _, content in said]
    contents += [record.get(keys[-1]) for keys in PAIRS]
    return [numbers for content in contents for numbers in _lists_of_numbers(content, 8)]


def _lists_of_numbers(value: Any, depth: int) -> list[list[float]]:
    if is_numbers(value):
        return [value]
    inside = value.values() if isinstance(value, dict) else value
    if not depth or not isinstance(value, dict | list):
        return []
    return [numbers for each in inside for numbers in _lists_of_numbers(each, depth - 1)]
