"""The table of a suite: each score of each model, beside what was published, as md and html."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locvlm.evaluation import run_files, tasks
from locvlm.evaluation.reports.report import format_interval, format_value
from locvlm.evaluation.samples import format_decoding
from locvlm.evaluation.suites.suite import Entry, PublishedFigure
from locvlm.io.atomic import write_bytes
from locvlm.io.pages import render_page
from locvlm.shown.markdown import escape_markdown

TEMPLATES = Path(__file__).parent / "templates"

Runs = Mapping[str, Mapping[str, Mapping[str, Any]]]  # entry -> model -> ``scores.json``


@dataclass(frozen=True)
class TableRow:
    """One score."""

    entry: str
    title: str  # of its task
    score: str
    cells: tuple[str, ...]  # of the models, then published ones by setting; "–": there is none


@dataclass(frozen=True)
class SuiteTable:
    """All that both pages show."""

    heads: tuple[str, ...]  # of the columns
    rows: Sequence[TableRow]
    notes: Sequence[str]  # about published figures, numbered from 1
    drawn: Sequence[str]  # how answers were drawn, and whose
    absent: Mapping[str, str]  # entry -> why it has no run


def write_pages(out: Path, entries: Sequence[Entry], runs: Runs, absent: Mapping[str, str]) -> None:
    """Write ``suite.md`` and ``suite.html`` into `out`.

    Args:
        out: folder of the suite's runs.
        entries: the suite.
        runs: see `Runs`.
        absent: entry -> why it has no run.
    """
    models = sorted({model for of in runs.values() for model in of})
    shown = [entry for entry in entries if runs.get(entry.name)]
    printed = (each for e in shown for score in e.published for each in e.figures(score))
    settings = sorted(dict.fromkeys(each.setting for each in printed), key=bool)  # "" first
    notes: list[str] = []
    rows = [
        row
        for entry in shown
        for row in _rows(entry, runs[entry.name], models, settings, notes)
        if set(row.cells) != {"–"}
    ]
    published = (f"published, {setting}" if setting else "published" for setting in settings)
    heads = ("data", "score", *models, *published)
    table = SuiteTable(heads, rows, notes, _decodings(runs), absent)
    write_bytes(out / run_files.SUITE_TABLE, _markdown(table).encode())
    write_bytes(out / run_files.SUITE_PAGE, _html(out, table).encode())


def _rows(
    entry: Entry,
    of: Mapping[str, Mapping[str, Any]],
    models: Sequence[str],
    settings: Sequence[str],
    notes: list[str],
) -> Iterator[TableRow]:
    """Those of an entry; what is to be known about their published figures is added to `notes`."""
    task = tasks.get(entry.task)
    if any("submission" in result for result in of.values()):
        scores = list(entry.published) or task.headlines[:1]
    else:
        scores = _in_order(task.headlines, entry.published)
    for score in scores:
        figures = entry.figures(score)
        yield TableRow(
            entry.name,
            task.title,
            score,
            (
                *(_format_result(of[m], score, m, entry) if m in of else "–" for m in models),
                *(
                    _format_figures([f for f in figures if f.setting == setting], notes)
                    for setting in settings
                ),
            ),
        )


def _decodings(runs: Runs) -> list[str]:
    """A line per way in which answers were drawn, and whose they are; greedy ones have none."""
    whose: dict[str, dict[str, None]] = {}
    for of in runs.values():
        for model, result in of.items():
            if drawn := format_decoding(result.get("decoding")):
                whose.setdefault(drawn, {})[model] = None
    return [f"{', '.join(models)}: answers {drawn}" for drawn, models in whose.items()]


def _in_order(headlines: Sequence[str], others: Iterable[str]) -> list[str]:
    """Headlines, each before its parts: "accuracy", then "accuracy left"."""
    scores = dict.fromkeys((*headlines, *others))
    places = {name: place for place, name in enumerate(headlines)}
    return sorted(
        scores, key=lambda name: places.get(name.rpartition(" ")[0], places.get(name, len(places)))
    )


def _format_result(result: Mapping[str, Any], name: str, model: str, entry: Entry) -> str:
    """A score, or where the answers lie that a server alone can score."""
    if submission := result.get("submission"):
        return f"answers written to {model}/{entry.name}/{submission['file']}"
    score = result["scores"].get(name)
    if score is None or score["value"] is None:  # of no question
        return "–"
    return f"{format_value(score)} ({format_interval(score)})"


def _format_figures(figures: Sequence[PublishedFigure], notes: list[str]) -> str:
    """``LLaVA 44.7, LocVLM-B 47.3 [1]``; the number is that of the note."""
    texts = []
    for figure in figures:
        text = f"{figure.who} {figure.value:g}"
        if figure.note:
            if figure.note not in notes:
                notes.append(figure.note)
            text += f" [{notes.index(figure.note) + 1}]"
        texts.append(text)
    return ", ".join(texts) or "–"


def _markdown(table: SuiteTable) -> str:
    lines = [_row(table.heads), f"|{'---|' * len(table.heads)}"]
    lines += [_row((row.entry, row.score, *row.cells)) for row in table.rows]
    if table.drawn:
        lines += ["", *(f"- {escape_markdown(line)}" for line in table.drawn)]
    if table.notes:
        notes = enumerate(map(escape_markdown, table.notes), 1)
        lines += ["", *(f"- [{number}] {note}" for number, note in notes)]
    absent = (f"not run, {name}: {reason}" for name, reason in table.absent.items())
    lines += ["", *(f"- {escape_markdown(line)}" for line in absent)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(escape_markdown, cells))} |"


def _html(out: Path, table: SuiteTable) -> str:
    """Each entry leads to its page with pictures, where there is one."""
    entries = {row.entry for row in table.rows}
    return render_page(
        TEMPLATES,
        "suite.html.j2",
        title="Evaluation suite",
        table=table,
        page=run_files.COMPARISON,
        linked={name for name in entries if (out / name / run_files.COMPARISON).exists()},
    )
