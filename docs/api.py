"""Writes docs/api.md from the signatures and docstrings of what users call: `make docs`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "api.md"
HEAD = """# API

From docstrings, by `make docs`; arguments and errors are in the files.
"""
# A class brings its public methods along.
SECTIONS = {
    "Models": (
        "locvlm.load",
        "locvlm.inference.predictor.Predictor",
        "locvlm.inference.predictor.Located",
    ),
    "Geometry": (
        "locvlm.geometry.Box",
        "locvlm.geometry.Point",
        "locvlm.geometry.Frame",
        "locvlm.geometry.iou",
    ),
    "Coordinates": (
        "locvlm.coordinates.get",
        "locvlm.coordinates.names",
        "locvlm.coordinates.dialects",
        "locvlm.coordinates.for_model",
        "locvlm.coordinates.default_for",
        "locvlm.coordinates.base.CoordinateFormat",
        "locvlm.coordinates.base.ParseReport",
        "locvlm.processors.frame_of",
    ),
    "Annotations": (
        "locvlm.annotations.read",
        "locvlm.annotations.names",
        "locvlm.annotations.detect_format",
    ),
    "Evaluation": (
        "locvlm.evaluation.runner.evaluate",
        "locvlm.evaluation.scoring.score",
        "locvlm.evaluation.tasks.names",
        "locvlm.evaluation.reports.paired.compare_runs",
    ),
}
# Methods of use; those that a subclass or another file of ours overrides or calls stay out.
HIDDEN = {
    *("Box.overlaps", "Box.flip", "Point.flip", "Point.clip"),
    *("Frame.cropped", "Frame.window", "CoordinateFormat.extent", "CoordinateFormat.largest"),
    *("CoordinateFormat.numbers_of", "CoordinateFormat.values_of", "CoordinateFormat.quantize"),
    *("CoordinateFormat.write", "CoordinateFormat.find", "CoordinateFormat.frame"),
    "CoordinateFormat.repr_of",
}


def page() -> str:
    """The text of docs/api.md."""
    parts = [HEAD]
    for title, names in SECTIONS.items():
        parts.append(f"## {title}\n")
        for module, group in groupby(names, key=lambda name: name.rpartition(".")[0]):
            parts.append(f"`{module}` ({link(module)})\n")
            parts.append("\n".join(line for name in group for line in lines(name)) + "\n")
    return "\n".join(parts)


def link(module: str) -> str:
    """Where its file is, from the page."""
    file = inspect.getsourcefile(import_module(module))
    assert file is not None
    return f"[source](../{Path(file).resolve().relative_to(ROOT)})"


def lines(dotted: str) -> Iterator[str]:
    """A line for a function; for a class one more for each of its methods."""
    module, _, name = dotted.rpartition(".")
    it = getattr(import_module(module), name)
    yield f"- {entry(name, it)}"
    if not inspect.isclass(it):
        return
    for member, value in vars(it).items():
        method = getattr(value, "__func__", value)  # of a class method
        if member[0] == "_" or f"{name}.{member}" in HIDDEN or not inspect.isfunction(method):
            continue
        if method.__doc__:
            yield f"  - {entry(member, method)}"


def entry(name: str, it: Any) -> str:
    """How it is called, and what for."""
    return f"`{name}{parameters(it)}`: {summary(it)}"


def parameters(it: Any) -> str:
    """Names and defaults, without types."""
    found = inspect.signature(it).parameters.values()
    given = [each for each in found if each.name not in ("self", "cls")]
    return str(inspect.Signature([each.replace(annotation=each.empty) for each in given]))


def summary(it: Any) -> str:
    """The first paragraph of the docstring up to its errors, in Markdown."""
    text = (inspect.getdoc(it) or "").split("\n\n")[0].partition(" Raises ")[0]
    return re.sub(r"\s+", " ", text).replace("``", "`")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
