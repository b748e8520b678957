"""What was not given, from the Hugging Face hub: official files, or rows that become such."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from locvlm.errors import InputError, first_line
from locvlm.evaluation.hub_copies import COPIES
from locvlm.shown.terminal import say

if TYPE_CHECKING:
    from locvlm.evaluation.task import Sources, Task


def fetch_missing_files(task: Task, sources: Sources) -> Sources:
    """The files of a task, those that were not given from the hub's copy where it has them.

    Rows of a copy are taken where no file at all was given, and their pictures with them unless
    there is a folder of pictures.

    Raises:
        InputError: the hub cannot be reached.
    """
    if task.name in COPIES and not sources.files:
        return _fetch_copy(task, sources)
    missing = {
        name: file.hub
        for name, file in task.files.items()
        if file.needed and file.hub and name not in sources.files
    }
    found = {name: _download(task, name, file) for name, file in missing.items()}
    return replace(sources, files={**sources.files, **found})


def _fetch_copy(task: Task, sources: Sources) -> Sources:
    copy = COPIES[task.name]
    with _hub_client(f"task {task.name} needs --questions; {copy.repository}"):
        from locvlm.evaluation.hub_rows import PICTURES, official_path, write_copy

        folder = write_copy(copy)
    say(f"no file is given: {copy.repository} of the hub, in {folder}", file=sys.stderr)
    flags = [flag for rows in copy.rows for flag in rows.officials]
    files = {flag: official_path(folder / flag) for flag in flags}
    images = folder / PICTURES if copy.has_images else None
    return replace(sources, files=files, images=sources.images or images)


def _download(task: Task, name: str, file: str) -> Path:
    """The file in the cache of `huggingface_hub`, fetched on first use."""
    with _hub_client(f"task {task.name} needs --{name}; {file} of {task.card.hub}"):
        from huggingface_hub import hf_hub_download

        path = Path(hf_hub_download(task.card.hub, file, repo_type="dataset"))
    say(f"--{name} is not given: {file} of {task.card.hub} on the hub", file=sys.stderr)
    return path


@contextmanager
def _hub_client(needs: str) -> Iterator[None]:
    """The hub's client in use; whatever it raises is told in one line that begins with `needs`."""
    try:
        from huggingface_hub.utils import logging
    except ModuleNotFoundError:
        raise InputError(
            f"{needs} can be fetched from the hub after pip install huggingface_hub"
        ) from None
    before = logging.get_verbosity()
    logging.set_verbosity_error()  # what its further tries stumble on is told once, at the end
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # the client raises whatever its libraries do
        reason = first_line(error)
        raise InputError(f"{needs} cannot be fetched from the hub ({reason})") from None
    finally:
        logging.set_verbosity(before)
