"""Curves of a run, as a picture: the losses of each stage and, below, scores on held-out images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from locvlm.training.engine.json_lines import read_log

# Of the log's figures on held-out images
HELD_OUT, SCORES = "eval_loss", {"eval_iou": "IoU", "eval_presence": "yes or no"}
COLORS = ("#30638e", "#d1495b", "#edae49")
Rows = Sequence[Mapping[str, Any]]


def plot_losses(out: Path, stages: list[str]) -> Path:
    """Draw the log of every stage side by side into ``out/loss.png``."""
    logs = {name: _read_log(out / name / "log.jsonl") for name in stages}
    logs = {name: rows for name, rows in logs.items() if _points(rows, "loss")}
    scored = any(_points(rows, score) for rows in logs.values() for score in SCORES)
    columns, lines = max(1, len(logs)), 2 if scored else 1
    figure = Figure(figsize=(4 * columns, 3 * lines), layout="constrained")
    for place, (name, rows) in enumerate(logs.items(), 1):
        axes = figure.add_subplot(lines, columns, place, title=name, xlabel="step", ylabel="loss")
        axes.title.set_parse_math(False)  # a dollar in a stage's name is one
        held_out = {HELD_OUT: "held-out images"} if _points(rows, HELD_OUT) else {}
        _draw_curves(axes, rows, {"loss": "trained", **held_out})
        if any(_points(rows, score) for score in SCORES):
            below = figure.add_subplot(
                lines, columns, columns + place, xlabel="step", ylabel="held-out images"
            )
            below.set_ylim(0, 1)
            _draw_curves(below, rows, SCORES)
    path = out / "loss.png"
    figure.savefig(path, dpi=120)
    return path


def _draw_curves(axes: Any, rows: Rows, names: Mapping[str, str]) -> None:
    for (name, label), color in zip(names.items(), COLORS, strict=False):
        if points := _points(rows, name):
            mark = "o" if name.startswith("eval_") else ""
            axes.plot(*zip(*points, strict=True), color=color, label=label, marker=mark, ms=3)
    if len(names) > 1:
        axes.legend()
    axes.grid(alpha=0.3)


def _read_log(log: Path) -> Rows:
    return read_log(log) if log.exists() else []


def _points(rows: Rows, name: str) -> list[tuple[int, float]]:
    return [(row["step"], row[name]) for row in rows if {name, "step"} <= row.keys()]
