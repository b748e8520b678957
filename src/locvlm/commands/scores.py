"""What `eval` and `score` share: the task's options, and the scores on the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec


def task_options(min_objects: int | None) -> dict[str, Any]:
    """The options that were given; the task has defaults for the rest."""
    return {} if min_objects is None else {"min_objects": min_objects}


def show(result: dict[str, Any], out: Path, *, json: bool) -> None:
    """Print ``scores.json`` as it is, or a table of it and where the report lies."""
    if json:
        print(msgspec.json.encode(result).decode())
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{result['task']} · {result['model']} · {result['data']}")
    for column in ("score", "value", "95 % interval", "n"):
        table.add_column(column, justify="left" if column == "score" else "right")
    for name, score in result["scores"].items():
        value = "–" if score["value"] is None else f"{score['value']:.3f}"
        table.add_row(name, value, f"{score['low']:.3f} … {score['high']:.3f}", str(score["n"]))
    Console().print(table)
    print(out / "report.md")
