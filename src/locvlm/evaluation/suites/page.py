"""The table of a suite: each score of each model, beside what was published, as md and html."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from locvlm.evaluation import run_files, tasks
from locvlm.evaluation.reports.comparison_page import render_document
from locvlm.evaluation.reports.report import format_interval, format_value
from locvlm.evaluation.suites.suite import Entry
from locvlm.io.atomic import write_bytes

Runs = Mapping[str, Mapping[str, Mapping[str, Any]]]  # entry -> model -> ``scores.json``


@dataclass(frozen=True)
class TableRow:
    """One score."""

    entry: str
    title: str  # of its task
    score: str
    cells: tuple[str, ...]  # of the models, then as published; "–" where there is none


def write_pages(out: Path, entries: Sequence[Entry], runs: Runs, absent: Mapping[str, str]) -> None:
    """Write ``suite.md`` and ``suite.html`` into `out`.

    Args:
        out: folder of the suite's runs.
        entries: the suite.
        runs: see `Runs`.
        absent: entry -> why it has no run.
    """
    models = sorted({model for of in runs.values() for model in of})
    sources = list(dict.fromkeys(who for e in entries for of in e.published.values() for who in of))
    rows = list(_rows(entries, runs, models, sources))
    heads = ("data", "score", *models, *(f"{who} (published)" for who in sources))
    write_bytes(out / run_files.SUITE_TABLE, _markdown(heads, rows, absent).encode())
    write_bytes(out / run_files.SUITE_PAGE, _html(out, heads, rows, absent).encode())


def _rows(
    entries: Sequence[Entry], runs: Runs, models: Sequence[str], sources: Sequence[str]
) -> Iterator[TableRow]:
    for entry in entries:
        of = runs.get(entry.name, {})
        task = tasks.get(entry.task)
        for score in dict.fromkeys((*task.headlines, *entry.published)) if of else ():
            found = [of[m]["scores"].get(score) if m in of else None for m in models]
            printed = entry.published.get(score, {})
            yield TableRow(
                entry.name,
                task.title,
                score,
                (
                    *(f"{format_value(s)} ({format_interval(s)})" if s else "–" for s in found),
                    *(f"{printed[who]:g}" if who in printed else "–" for who in sources),
                ),
            )


def _markdown(heads: Sequence[str], rows: Sequence[TableRow], absent: Mapping[str, str]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join((row.entry, row.score, *row.cells))} |" for row in rows]
    lines += ["", *(f"- not run, {name}: {reason}" for name, reason in absent.items())]
    return "\n".join(lines) + "\n"


def _html(
    out: Path, heads: Sequence[str], rows: Sequence[TableRow], absent: Mapping[str, str]
) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(
        f"<tr><th>{_entry_link(out, row.entry)}</th><td>{escape(row.score)}</td>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row.cells)
        + "</tr>"
        for row in rows
    )
    left = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in absent.items())
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return render_document(
        "Evaluation suite",
        '<p class="lead">In brackets 95 % intervals. Published figures are copied from their '
        "papers; they were measured on the whole official data.</p>"
        f'<section><div class="scroll">{table}</div></section>'
        + (f"<section><h2>Not run</h2><ul>{left}</ul></section>" if left else ""),
    )


def _entry_link(out: Path, entry: str) -> str:
    """The entry, leading to its page with pictures where there is one."""
    name = escape(entry)
    if not (out / entry / run_files.COMPARISON).exists():
        return name
    return f'<a href="{name}/{run_files.COMPARISON}">{name}</a>'
