"""What is said in a record of another trainer's data set, in one form for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from locvlm.records.fields import Record

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
        for role, content in _SOURCES[source](record)
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


def _messages(value: Any, role: str, text: str) -> list[tuple[str, Any]]:
    messages = value if isinstance(value, list) else []
    return [(str(m.get(role)), m.get(text)) for m in messages if isinstance(m, dict)]


def _text(content: Any) -> str:
    """A string, or the texts among parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _remove_image_mark(text: str) -> str:
    for mark in (f"{IMAGE}\n", f"\n{IMAGE}", IMAGE):
        text = text.replace(mark, "")
    return text
