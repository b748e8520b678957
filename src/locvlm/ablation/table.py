"""The table of an ablation: a row per variant, each score as mean and interval over the seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from locvlm.evaluation.intervals import student_t
from locvlm.evaluation.suites.suite import Entry
from locvlm.shown.markdown import escape_markdown


@dataclass(frozen=True)
class AblationCell:
    """One score of one variant over its seeds."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Of the seeds."""
        return float(np.mean(self.values))

    @property
    def half(self) -> float:
        """Half the width of the mean's 95 % interval (Student's t); NaN of one seed."""
        n = len(self.values)
        if n < 2:
            return math.nan
        return student_t(n) * float(np.std(self.values, ddof=1)) / math.sqrt(n)

    def __str__(self) -> str:
        spread = "" if math.isnan(self.half) else f" ± {self.half:.1f}"
        return f"{self.mean:.1f}{spread}"


# variant -> score ("task: name") -> cell
AblationTable = dict[str, dict[str, AblationCell]]
# score ("task: name, published") -> variant -> figure in percent
Published = dict[str, dict[str, float]]


def tabulate(
    runs: Mapping[str, Sequence[Mapping[str, Any]]], headlines: Mapping[str, Sequence[str]]
) -> AblationTable:
    """Scores in percent.

    Args:
        runs: variant -> for each seed, entry of the suite -> what its ``scores.json`` holds.
        headlines: entry -> the names of the scores to show; those without a value are left out.
    """
    table: AblationTable = {}
    for variant, seeds in runs.items():
        table[variant] = {}
        for entry, names in headlines.items():
            for name in names:
                found = [seed[entry]["scores"].get(name, {}).get("value") for seed in seeds]
                values = tuple(100 * value for value in found if value is not None)
                if len(values) == len(seeds):
                    table[variant][f"{entry}: {name}"] = AblationCell(values)
    return table


def find_published(
    entries: Sequence[Entry], runs: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Published:
    """What a suite says was published of these variants, in percent.

    Args:
        entries: the suite; who has published is the name of a variant.
        runs: as `tabulate` takes them; they tell rates, which are in percent, from other scores.
    """
    found: Published = {}
    for entry in entries:
        own = next(iter(runs.values()))[0][entry.name]["scores"]
        for score in entry.published:
            unit = 1 if own.get(score, {}).get("kind", "rate") == "rate" else 100
            for figure in entry.figures(score):
                if figure.who in runs:
                    setting = f", {figure.setting}" if figure.setting else ""
                    row = found.setdefault(f"{entry.name}: {score}, published{setting}", {})
                    row[figure.who] = unit * figure.value
    return found


def format_markdown(title: str, table: AblationTable, published: Published | None = None) -> str:
    """As a table of Markdown, scores as rows and variants as columns, then published scores."""
    names = list(table)
    scores = list(dict.fromkeys(score for row in table.values() for score in row))
    rows = {
        score: {n: str(table[n][score]) for n in names if score in table[n]} for score in scores
    }
    rows |= {
        score: {name: f"{figure:.1f}" for name, figure in row.items()}
        for score, row in (published or {}).items()
    }
    lines = [f"# {escape_markdown(title)}", "", _row(["score", *names])]
    lines.append("|---|" + "---|" * len(names))
    for score, row in rows.items():
        lines.append(_row([score, *(row.get(name, "–") for name in names)]))
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(escape_markdown, cells))} |"
