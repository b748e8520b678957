"""What is said in a record of another trainer's data set, in one form for all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from locvlm.records.fields import PAIRS, Record

IMAGE = "<image>"
_ROLES = {"human": "user", "gpt": "assistant"}


class Message(NamedTuple):
    """One message."""

    role: str  # "user", "assistant", or another
    text: str  # without the picture's place


def turns_of(record: Record, source: str) -> list[Message]:
    """The messages of a record; empty where it has none in the form of `source`."""
    return [
        Message(_ROLES.get(role, role), _remove_image_mark(_text(content)))
        for role, content in _SOURCES[source](record) or _two_columns(record)
    ]


def names() -> list[str]:
    """The known sources, sorted."""
    return sorted(_SOURCES)


def _conversations(record: Record) -> list[tuple[str, Any]]:
    """LLaVA and Qwen: ``{"from": "human", "value": "…"}``."""
    return _messages(record.get("conversations"), "from", "value")


def _swift(record: Record) -> list[tuple[str, Any]]:
    """ms-swift: ``{"role": "user", "content": "…"}``."""
    return _messages(record.get("messages"), "role", "content")


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
            messages += _messages(value, "role", "content")
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


def _messages(value: Any, role: str, text: str) -> list[tuple[str, Any]]:
    messages = value if isinstance(value, list) else []
    return [(str(m.get(role)), m.get(text)) for m in messages if isinstance(m, dict)]


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
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _remove_image_mark(text: str) -> str:
    for mark in (f"{IMAGE}\n", f"\n{IMAGE}", IMAGE):
        text = text.replace(mark, "")
    return text


def turns_with_numbers(record: Record) -> list[list[float]]:
    """The messages of a record that are a list of numbers, no text."""
    said = [record.get(key) for key in ("conversations", "messages")]
    messages = [each for part in said if isinstance(part, list) for each in part]
    contents: list[Any] = [
        m.get("value", m.get("content")) for m in messages if isinstance(m, dict)
    ]
    contents += [record.get(keys[-1]) for keys in PAIRS]
    return [content for content in contents if is_numbers(content)]
