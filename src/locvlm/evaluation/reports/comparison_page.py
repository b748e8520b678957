"""The HTML of a comparison: one file that can be mailed (see `locvlm.io.pages`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locvlm.evaluation import tasks
from locvlm.evaluation.reports.differences import Difference
from locvlm.evaluation.reports.number_format import format_signed, unit_of
from locvlm.evaluation.reports.report import format_interval, format_value
from locvlm.io import pages

TEMPLATES = Path(__file__).parent / "templates"
# CSS classes of the models, as their boxes are coloured; more models have no colour of their own
MODEL_CLASSES = ("one", "two", "three", "four")

Columns = Mapping[str, Mapping[str, Mapping[str, Any]]]
Differences = Mapping[str, Mapping[str, Mapping[str, Difference]]]  # model -> task -> score -> it


@dataclass(frozen=True, slots=True)
class Panel:
    """One model's answer."""

    model: str
    answer: str
    hit: bool
    box: str  # the location in it, original pixels; "": there is none
    css: str = ""  # class of the model


@dataclass(frozen=True, slots=True)
class Example:
    """One question with the answers of all models."""

    task: str
    question: str
    expected: str
    panels: tuple[Panel, ...]
    jpeg: bytes | None  # the truth and all models' boxes in it; None: it can no longer be shown
    credit: str = ""


@dataclass(frozen=True, slots=True)
class _Cell:
    """One model's score."""

    value: str
    interval: str = ""
    n: int = 0
    bar: tuple[float, float, float] | None = None  # low, high, value in percent; None: no bounds
    difference: str = ""  # from the first model, with its paired interval
    word: str = ""  # "higher" or "lower", where that interval leaves out 0


def render_page(
    title: str,
    columns: Columns,
    examples: Sequence[Example],
    differences: Differences | None = None,
    verdicts: Sequence[tuple[str, str]] = (),
) -> str:
    """The whole document.

    Args:
        title: its heading.
        columns: model -> task -> what ``scores.json`` holds.
        examples: of all tasks.
        differences: of the models from the first, paired by image.
        verdicts: word ("better", …) and sentence of each, for the head of the page.
    """
    models = list(columns)
    sections = [_section(task, columns, examples, differences or {}) for task in columns[models[0]]]
    return pages.render_page(
        TEMPLATES,
        "comparison.html.j2",
        title=title,
        models=models,
        sections=sections,
        verdicts=verdicts,
    )


def _section(
    task: str, columns: Columns, examples: Sequence[Example], differences: Differences
) -> dict[str, Any]:
    kind = tasks.get(task)
    results = {model: of[task] for model, of in columns.items()}
    first = next(iter(results.values()))
    headlines = [name for name in kind.headlines if name in first["scores"]]
    rest = [name for name in first["scores"] if name not in headlines]
    apart = {model: of.get(task, {}) for model, of in differences.items()}
    return {
        "title": kind.title,
        "task": task,
        "options": first["options"],
        "questions": first["questions"],
        "images": first["pictures"],
        "data": first["data"],
        "hit": kind.hit,
        "headlines": [_row(name, results, apart) for name in headlines],
        "rest": [_row(name, results, apart) for name in rest],
        "examples": [example for example in examples if example.task == task],
    }


def _row(
    name: str,
    results: Mapping[str, Mapping[str, Any]],
    apart: Mapping[str, Mapping[str, Difference]],
) -> dict[str, Any]:
    cells = [
        _cell(of["scores"].get(name), apart.get(model, {}).get(name))
        for model, of in results.items()
    ]
    return {"name": name.replace("/", ", "), "cells": cells}


def _cell(score: Mapping[str, Any] | None, apart: Difference | None) -> _Cell:
    if score is None or score["value"] is None:
        return _Cell("–")
    edges = (100 * score[edge] for edge in ("low", "high", "value"))
    return _Cell(
        value=format_value(score),
        interval=format_interval(score),
        n=score["n"],
        bar=None if score["kind"] == "points" else tuple(edges),  # type: ignore[arg-type]
        difference="" if apart is None else format_apart(apart),
        word="" if apart is None or not apart.sure else "higher" if apart.low > 0 else "lower",
    )


def format_apart(apart: Difference) -> str:
    """``+3.1 (+1.0 … +5.2) points``: a difference with its interval, of rates in points."""
    value, low, high = (format_signed(apart.kind, x) for x in (apart.value, *apart.interval))
    return f"{value} ({low} … {high}){unit_of(apart.kind)}"
