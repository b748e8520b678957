"""HTML pages from templates: one file each, no scripts, with pictures inside, that can be mailed.

A template is a file ``NAME.html.j2`` in the folder ``templates`` beside the code that fills it. All
that it is given is text, and escaped, but for what it marks itself. ``page.html.j2`` here is what
pages have in common; ``{% extends "page.html.j2" %}`` fills its block ``body``. Plain text, such as
a README, has templates too, ``NAME.j2``, and nothing of it is escaped but by the filters
`markdown`, `code` and `line`. The filter `link` addresses a file by the parts of its path; `short`
cuts long answers.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locvlm.shown.links import link_file
from locvlm.shown.markdown import LONGEST, escape_markdown, mark_code
from locvlm.shown.terminal import shorten, show_line

if TYPE_CHECKING:
    from jinja2 import Environment

COMMON = Path(__file__).parent / "templates"


def render_page(templates: Path, name: str, /, **values: Any) -> str:
    """A template filled; a name that it uses and is not given is an error.

    Args:
        templates: folder of the template, beside the common ones.
        name: of the template's file.
        values: what it shows.
    """
    return _environment(templates, escape=True).get_template(name).render(values)


def render_text(templates: Path, name: str, /, **values: Any) -> str:
    """As `render_page`, of plain text for people: nothing is escaped."""
    return _environment(templates, escape=False).get_template(name).render(values)


def encode_data_uri(data: bytes, kind: str = "image/jpeg") -> str:
    """A file inside a page, as the source of an image."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _link(parts: Sequence[str]) -> str:
    return link_file(*parts)


def _shorten(text: object) -> str:
    return shorten(str(text), LONGEST)


@cache
def _environment(templates: Path, *, escape: bool) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([templates, COMMON]),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Callable[..., str]] = {
        "data_uri": encode_data_uri,
        "link": _link,
        "short": _shorten,
        "markdown": escape_markdown,
        "code": mark_code,
        "line": show_line,
    }
    environment.filters.update(filters)
    return environment
