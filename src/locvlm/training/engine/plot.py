"""Loss curves of a run, as a picture."""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib.figure import Figure


def plot_losses(out: Path, stages: list[str]) -> Path:
    """Draw the loss of every stage's log side by side into ``out/loss.png``."""
    logs = {name: _points(out / name / "log.jsonl") for name in stages}
    logs = {name: points for name, points in logs.items() if points}
    figure = Figure(figsize=(4 * max(1, len(logs)), 3), layout="constrained")
    for place, (name, points) in enumerate(logs.items(), 1):
        axes = figure.add_subplot(1, len(logs), place, title=name, xlabel="step", ylabel="loss")
        axes.plot(*zip(*points, strict=True), color="#30638e")
        axes.grid(alpha=0.3)
    path = out / "loss.png"
    figure.savefig(path, dpi=120)
    return path


def _points(log: Path) -> list[tuple[int, float]]:
    if not log.exists():
        return []
    rows = map(json.loads, log.read_text().splitlines())
    return [(row["step"], row["loss"]) for row in rows if "loss" in row]
