"""Questions about what the model does not see: found before a run, counted, left out of it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from locvlm.errors import InputError
from locvlm.instructions.visible import FieldOfView, VisibilityReport, keep_visible
from locvlm.io.atomic import ensure_dir
from locvlm.io.json_rows import write_json
from locvlm.shown.terminal import say
from locvlm.training.data.dataset import TrainingData

UNSEEN_FILE = "unseen_questions.json"  # in `out`: counts and examples


def leave_out_unseen(data: TrainingData, processor: Any) -> tuple[TrainingData, VisibilityReport]:
    """The data without questions that a model with this processor cannot see the answers of.

    Raises InputError where nothing is left.
    """
    sizes = ((item.width, item.height) for item in data.conversations)
    view = FieldOfView(processor, sizes)
    if view.sees_all:
        return replace(data, view=view), VisibilityReport(unknown=view.unknown)
    annotated = {str(path): image for path, image, _ in data.annotated}
    kept, report = keep_visible(data.conversations, view, annotated.get)
    rows = [row for row, item in enumerate(kept) if item is not None]
    if not rows:
        raise InputError(f"{report.describe_left_out()}; nothing is left to learn from")
    left = replace(
        data,
        conversations=[item for item in kept if item is not None],
        origins=[data.origins[row] for row in rows] if data.origins else [],
        view=view,
    )
    return left, report


def report_unseen(report: VisibilityReport, out: Path) -> None:
    """The counts on standard error, and with examples in the folder of the run."""
    for line in report.describe():
        say(line, file=sys.stderr)
    if report.left_out or report.cut:
        say(f"see {out / UNSEEN_FILE}", file=sys.stderr)
        write_json(ensure_dir(out) / UNSEEN_FILE, report.record())
