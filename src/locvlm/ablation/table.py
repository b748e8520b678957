"""The table of an ablation: a row per variant, each score as mean and interval over the seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# 97.5 % quantiles of Student's t with n - 1 degrees of freedom; beyond, the normal one will do
_T = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
_NORMAL = 1.96


@dataclass(frozen=True)
class Cell:
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
        return _T.get(n, _NORMAL) * float(np.std(self.values, ddof=1)) / math.sqrt(n)

    def __str__(self) -> str:
        spread = "" if math.isnan(self.half) else f" ± {self.half:.1f}"
        return f"{self.mean:.1f}{spread}"


# variant -> score ("task: name") -> cell
Table = dict[str, dict[str, Cell]]


def tabulate(
    runs: Mapping[str, Sequence[Mapping[str, Any]]], headlines: Mapping[str, Sequence[str]]
) -> Table:
    """Scores in percent.

    Args:
        runs: variant -> for each seed, entry of the suite -> what its ``scores.json`` holds.
        headlines: entry -> the names of the scores to show; those without a value are left out.
    """
    table: Table = {}
    for variant, seeds in runs.items():
        table[variant] = {}
        for entry, names in headlines.items():
            for name in names:
                found = [seed[entry]["scores"].get(name, {}).get("value") for seed in seeds]
                values = tuple(100 * value for value in found if value is not None)
                if len(values) == len(seeds):
                    table[variant][f"{entry}: {name}"] = Cell(values)
    return table


def markdown(title: str, table: Table) -> str:
    """As a table of Markdown, scores as rows and variants as columns."""
    names = list(table)
    scores = list(dict.fromkeys(score for row in table.values() for score in row))
    lines = [f"# {title}", "", "| score | " + " | ".join(names) + " |"]
    lines.append("|---|" + "---|" * len(names))
    for score in scores:
        cells = [str(table[name][score]) if score in table[name] else "–" for name in names]
        lines.append(f"| {score} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
