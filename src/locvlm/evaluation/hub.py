"""Official files from the Hugging Face hub, where its copy of a data set is those very files."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from locvlm.errors import InputError

if TYPE_CHECKING:
    from locvlm.evaluation.questions import Task
    from locvlm.evaluation.sources import Sources


def completed(task: Task, sources: Sources) -> Sources:
    """The files of a task, those that were not given from the hub's copy where it has them.

    Raises:
        InputError: the hub cannot be reached.
    """
    missing = {
        name: file.hub
        for name, file in task.FILES.items()
        if file.needed and file.hub and name not in sources.files
    }
    found = {name: _download(task, name, file) for name, file in missing.items()}
    return replace(sources, files={**sources.files, **found})


def _download(task: Task, name: str, file: str) -> Path:
    """The file in the cache of `huggingface_hub`, fetched on first use."""
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.utils import logging
    except ModuleNotFoundError:
        raise InputError(
            f"task {task.NAME} needs --{name}; pip install huggingface_hub to fetch {file} of "
            f"{task.CARD.hub} instead"
        ) from None
    before = logging.get_verbosity()
    logging.set_verbosity_error()  # what its further tries stumble on is told once, at the end
    try:
        path = Path(hf_hub_download(task.CARD.hub, file, repo_type="dataset"))
    except Exception as error:  # the client raises whatever its libraries do
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(
            f"task {task.NAME} needs --{name}; {file} of {task.CARD.hub} cannot be fetched from "
            f"the hub ({reason})"
        ) from None
    finally:
        logging.set_verbosity(before)
    print(f"--{name} is not given: {file} of {task.CARD.hub} on the hub", file=sys.stderr)
    return path
