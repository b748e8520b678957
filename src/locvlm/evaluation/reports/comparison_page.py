"""The HTML of a comparison: no scripts, no frameworks, one file that can be mailed."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import msgspec

from locvlm.evaluation import tasks
from locvlm.evaluation.intervals import Score, compare_intervals
from locvlm.evaluation.reports.illustrations import FOUND_COLOUR, TRUE_COLOUR
from locvlm.evaluation.reports.report import format_interval, format_value

Columns = Mapping[str, Mapping[str, Mapping[str, Any]]]

_STYLE = f"""
:root {{ --ink: #1f2933; --soft: #6b7785; --line: #e3e8ee; --paper: #ffffff; --tint: #f6f8fa;
  --accent: #2563a8; --true: {TRUE_COLOUR}; --found: {FOUND_COLOUR}; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: var(--tint); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }}
main {{ max-width: 1080px; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }}
h1 {{ font-size: 1.8rem; line-height: 1.2; margin: 0 0 .4rem; }}
h2 {{ font-size: 1.2rem; margin: 0; }}
p, figure {{ margin: 0; }}
.lead, .note, figcaption {{ color: var(--soft); }}
.note, figcaption {{ font-size: .85rem; }}
section {{ background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
  padding: 1.25rem; margin-top: 1.5rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; margin: .75rem 0; font-size: .92rem; }}
th, td {{ padding: .45rem .6rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }}
thead th {{ color: var(--soft); font-weight: 600; white-space: nowrap; }}
tbody th {{ font-weight: 500; }}
td {{ min-width: 11rem; font-variant-numeric: tabular-nums; }}
td small {{ color: var(--soft); white-space: nowrap; }}
.true {{ color: var(--true); font-weight: 700; }}
.found {{ color: var(--found); font-weight: 700; }}
.sign {{ color: var(--accent); }}
.bar {{ position: relative; display: block; height: 6px; margin-top: .3rem; border-radius: 3px;
  background: var(--line); }}
.bar i {{ position: absolute; top: 0; height: 6px; border-radius: 3px; background: #9dbfe3; }}
.bar b {{ position: absolute; top: -2px; width: 3px; height: 10px; margin-left: -1px;
  background: var(--accent); }}
details summary {{ cursor: pointer; color: var(--accent); font-size: .9rem; }}
.examples {{ display: grid; gap: 1rem; margin-top: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); }}
.example {{ border: 1px solid var(--line); border-radius: 8px; padding: .9rem;
  display: flex; flex-direction: column; gap: .6rem; }}
.examples.wide {{ grid-template-columns: minmax(0, 1fr); }}
.panels {{ display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)); }}
.question {{ font-weight: 600; overflow-wrap: anywhere; }}
.answer {{ overflow-wrap: anywhere; font-size: .92rem; }}
img {{ display: block; align-self: flex-start; width: auto; height: auto; max-width: 100%;
  max-height: 24rem; border-radius: 6px; }}
figcaption {{ margin-top: .3rem; }}
.key::before {{ content: ""; display: inline-block; width: .8em; height: .8em; margin-right: .35em;
  border: 2px solid currentColor; border-radius: 2px; vertical-align: -1px; }}
"""


@dataclass(frozen=True, slots=True)
class Panel:
    """One model's answer, on its own picture where it has a location to show."""

    model: str
    answer: str
    hit: bool
    jpeg: bytes | None  # JPEG


@dataclass(frozen=True, slots=True)
class Example:
    """One question with the answers of all models."""

    task: str
    question: str
    expected: str
    panels: tuple[Panel, ...]
    jpeg: bytes | None  # JPEG, shared, where no panel has its own
    credit: str = ""


def render_page(title: str, columns: Columns, examples: Sequence[Example]) -> str:
    """The whole document. `columns`: model -> task -> what ``scores.json`` holds."""
    models = list(columns)
    sections = [
        _section(task, columns, [example for example in examples if example.task == task])
        for task in columns[models[0]]
    ]
    others = " and ".join(models[1:])
    lead = f"{others} against {models[0]}" if others else models[0]
    note = f"""<p class="lead">{escape(lead)}, on the same questions about the same photos.</p>
<p class="note">Small figures and light bars: 95 % intervals.
<span class="sign">▲ ▼</span>: the interval lies wholly above or below that
of {escape(models[0])}, so chance in the choice of questions is an unlikely reason.
Examples are drawn at random from each pattern of right and wrong answers in turn,
so how often each occurs is told by the table alone.</p>
"""
    return render_document(title, note + "".join(sections))


def render_document(title: str, body: str) -> str:
    """A page of ours; `body` is HTML."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{body}
</main>
</body>
</html>
"""


def _section(task: str, columns: Columns, examples: Sequence[Example]) -> str:
    kind = tasks.get(task)
    results = {model: of[task] for model, of in columns.items()}
    first = next(iter(results.values()))
    headlines = [name for name in kind.headlines if name in first["scores"]]
    rest = [name for name in first["scores"] if name not in headlines]
    all_scores = (
        f"<details><summary>All scores</summary>{_table(results, rest)}</details>" if rest else ""
    )
    cards = "".join(map(_card, examples))
    wide = " wide" if any(example.jpeg is None for example in examples) else ""
    shown = (
        f'<p class="note">Right (✓): {escape(kind.hit)}.</p>'
        f'<div class="examples{wide}">{cards}</div>'
        if cards
        else ""
    )
    return f"""<section>
<h2>{escape(kind.title)}</h2>
<p class="note">{escape(task)}{_settings(first)}: {first["questions"]} questions about
{first["pictures"]} photos of {escape(first["data"])}.</p>
{_table(results, headlines)}
{all_scores}
{shown}
</section>
"""


def _settings(result: Mapping[str, Any]) -> str:
    return escape("".join(f", {key} {value}" for key, value in result["options"].items()))


def _table(results: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> str:
    head = "".join(f"<th>{escape(model)}</th>" for model in results)
    baseline = next(iter(results.values()))["scores"]
    rows = [
        f"<tr><th>{escape(name.replace('/', ', '))}</th>"
        + "".join(_cell(of["scores"].get(name), baseline[name]) for of in results.values())
        + "</tr>"
        for name in names
    ]
    return (
        f'<div class="scroll"><table><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(score: Mapping[str, Any] | None, baseline: Mapping[str, Any]) -> str:
    if score is None or score["value"] is None:
        return "<td>–</td>"
    return (
        f"<td>{format_value(score)} {_sign(score, baseline)}<br>"
        f"<small>{format_interval(score)} · n {score['n']}</small>{_bar(score)}</td>"
    )


def _sign(score: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    direction = compare_intervals(msgspec.convert(baseline, Score), msgspec.convert(score, Score))
    signs = {1: ("above", "▲"), -1: ("below", "▼")}
    if direction not in signs:
        return ""
    title, sign = signs[direction]
    return f'<span class="sign" title="{title}">{sign}</span>'


def _bar(score: Mapping[str, Any]) -> str:
    """The interval and the value between 0 and 1; nothing for what has no such bounds."""
    if score["kind"] == "points":
        return ""
    low, high, value = (100 * score[edge] for edge in ("low", "high", "value"))
    return (
        f'<span class="bar"><i style="left:{low:.1f}%;width:{high - low:.1f}%"></i>'
        f'<b style="left:{value:.1f}%"></b></span>'
    )


def _card(example: Example) -> str:
    if example.jpeg is None:
        shared, found = "", '<span class="found key">answered</span>'
    else:
        shared, found = _image(example.jpeg, example.expected), ""
    credit = f"<br>Photo: {escape(example.credit)}" if example.credit else ""
    return f"""<figure class="example">
<p class="question">{escape(example.question)}</p>
{shared}
<div class="panels">{"".join(map(_panel, example.panels))}</div>
<figcaption><span class="true key">annotated</span> {found}
Expected: {escape(example.expected)}{credit}</figcaption>
</figure>
"""


def _panel(panel: Panel) -> str:
    sign = '<span class="true">✓</span>' if panel.hit else '<span class="found">✗</span>'
    answer = escape(panel.answer) or "<em>nothing</em>"
    image = _image(panel.jpeg, panel.answer) if panel.jpeg is not None else ""
    return (
        f'<div>{image}<p class="answer">{sign} <strong>{escape(panel.model)}</strong>: '
        f"{answer}</p></div>"
    )


def _image(jpeg: bytes, alt: str) -> str:
    data = base64.b64encode(jpeg).decode()
    return f'<img src="data:image/jpeg;base64,{data}" alt="{escape(alt)}" loading="lazy">'
