"""README.md of a tuning's folder: what is in it, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from locvlm.io.atomic import write_bytes
from locvlm.io.pages import render_text
from locvlm.tuning import folders
from locvlm.tuning.command_lines import format_line
from locvlm.tuning.data import TuningData
from locvlm.tuning.state import TuneState

TEMPLATES = Path(__file__).parent / "templates"


def write_readme(
    out: Path, state: TuneState, data: TuningData, base: str, verdicts: Sequence[str], page: Path
) -> Path:
    """Write the file and return its path.

    Args:
        out: the tuning's folder.
        state: of the tuning.
        data: that it learned from and asked about.
        base: the model that it started from.
        verdicts: sentences, of the proof.
        page: the proof's.
    """
    longer = replace(state.options, minutes=4 * state.options.minutes)
    text = render_text(
        TEMPLATES,
        "README.md.j2",
        line=format_line,
        options=state.options,
        built=data.folder.parent == out,
        shared=(out / folders.SHARED).is_dir(),
        data=data,
        base=base,
        verdicts=verdicts,
        page=page.relative_to(out).as_posix(),
        thing=pick_category(data),
        longer=format_line("tune", *longer.words(), "--out", "ANOTHER-FOLDER"),
    )
    path = out / folders.README
    write_bytes(path, text.encode())
    return path


def pick_category(data: TuningData) -> str:
    """One to show how to ask: what the data have is what the model learned."""
    return next(iter(data.manifest.categories), "dog")
