"""Addresses for ``href`` and ``src``: a file beside the page, or a page of the web; no scripts."""

from __future__ import annotations

from pathlib import PurePath
from urllib.parse import quote, urlsplit


def link_file(*parts: str | PurePath) -> str:
    """The address of a file, relative to the page: ``#``, ``?``, ``%`` and ``:`` are its name's.

    >>> link_file("javascript:alert(1)", "a#1.jpg")
    'javascript%3Aalert%281%29/a%231.jpg'
    """
    path = "/".join(part.as_posix() if isinstance(part, PurePath) else part for part in parts)
    address = quote(path.encode("utf-8", "surrogateescape"), safe="/")
    return f".{address}" if address.startswith("/") else address  # neither a host nor the root


def link_web(address: str) -> str:
    """The address where it is one of http or https; "": it leads elsewhere, or is none."""
    try:
        found = urlsplit(address)
    except ValueError:
        return ""
    odd = any(ord(letter) <= 32 or letter in "\"'<>\\`" for letter in address)
    return address if found.scheme in ("http", "https") and found.netloc and not odd else ""
