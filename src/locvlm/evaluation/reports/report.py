"""``report.md``: the scores of one run with their intervals, and examples to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from locvlm.annotations.effects import tell_effect
from locvlm.errors import InputError
from locvlm.evaluation import run_files
from locvlm.evaluation.categories import category_columns, format_figure, label_category
from locvlm.evaluation.learned import describe_learned
from locvlm.evaluation.left_out import tell_left_out
from locvlm.evaluation.limited import tell_asked
from locvlm.evaluation.provenance import tell_split
from locvlm.evaluation.reports.illustrations import (
    FOUND_COLOUR,
    TRUE_COLOUR,
    encode_jpeg,
    illustrate,
    pick,
)
from locvlm.evaluation.reports.number_format import format_number
from locvlm.evaluation.samples import format_decoding
from locvlm.evaluation.task import ScoredAnswer, Task
from locvlm.instructions.visible import UNSEEN_QUESTIONS
from locvlm.io.atomic import write_bytes
from locvlm.io.confined_paths import confine
from locvlm.shown.links import link_file
from locvlm.shown.markdown import escape_markdown, mark_code

_EXAMPLES = 10
_CATEGORIES = 100  # in the table
_COLOURS = f"Green ({TRUE_COLOUR}): annotated. Orange ({FOUND_COLOUR}): the model's answer."


def write_report(
    out: Path,
    task: Task,
    result: Mapping[str, Any],
    rows: Sequence[ScoredAnswer],
    folder: Path | None,
) -> None:
    """Write ``report.md``, and ``pictures/`` where the `folder` of pictures or clips is given."""
    parts = [
        f"# {task.title}",
        _facts(result, "clips" if task.card.clips else "pictures"),
        _no_scores(result["submission"])
        if "submission" in result
        else _table(result["scores"], task.headlines),
    ]
    if categories := result.get("categories"):
        parts.append(_category_table(categories, result.get("names", {})))
    if folder is not None:
        parts.append(_examples(out, task, rows, folder, result["seed"]))
    write_bytes(out / run_files.REPORT, ("\n\n".join(parts) + "\n").encode())


def format_value(score: Mapping[str, Any]) -> str:
    """A rate in percent, all else as it is; "–" where there is none.

    Of several samples with the standard deviation over them: ``61.3 % ± 0.8 %``.
    """
    if score["value"] is None:
        return "–"
    value = format_number(score["kind"], score["value"])
    return (
        value
        if score.get("sd") is None
        else f"{value} ± {format_number(score['kind'], score['sd'])}"
    )


def format_interval(score: Mapping[str, Any]) -> str:
    """The 95 % interval, in the units of `format_value`."""
    if score["value"] is None:
        return "–"
    return " … ".join(format_number(score["kind"], score[edge]) for edge in ("low", "high"))


def _facts(result: Mapping[str, Any], of: str) -> str:
    given = (f"{name} {value}" for name, value in result["options"].items())
    options = escape_markdown(", ".join(given))
    lines = [
        f"- Task: {mark_code(result['task'])}" + (f" ({options})" if options else ""),
        f"- Model: {escape_markdown(result['model'])}",
        f"- Data: {escape_markdown(result['data'])}, seed {result['seed']}",
    ]
    answers = f"Answers: {result['questions']} about {result['pictures']} {of}"
    if asked := tell_asked(result, of):
        answers += f"; {asked}"
    if missing := result["unanswered"]:
        answers += f"; questions without an answer: {missing}"
    lines.append(f"- {escape_markdown(answers)}")
    if split := tell_split(result):
        lines.append(f"- {escape_markdown(split.capitalize())}")
    if drawn := format_decoding(result.get("decoding")):
        lines.append(f"- Answers are {escape_markdown(drawn)}")
    if learned := describe_learned(result):
        lines.append(f"- {escape_markdown(learned)}")
    if judge := result.get("judge"):
        counts = f"{judge['verdicts']} verdicts, {judge['unreadable']} unreadable"
        lines.append(f"- Judge: {escape_markdown(judge['model'] + ', ' + counts)}")
    if cut := result.get("cut"):
        lines.append(f"- Clips that are damaged or end early, seen as far as they go: {len(cut)}")
    if notes := result.get("notes"):
        name, [note, *_] = next(iter(notes.items()))
        odd = escape_markdown(f"{name}: {note}")
        lines.append(f"- Odd clips: {len(notes)}, such as {odd}")
    firsts = {
        why: f" (the first: {escape_markdown(first)})"
        for why, first in result.get("examples", {}).items()
    }
    for why, n in result["skipped"].items():
        unit = f"{of.capitalize()} skipped" if why != UNSEEN_QUESTIONS else "Skipped"
        lines.append(f"- {unit}, {escape_markdown(why)}: {n}{firsts.get(why, '')}")
    for why, n in result["dropped"].items():
        effect = tell_effect(why).capitalize()
        lines.append(f"- {effect} on reading, {escape_markdown(why)}: {n}{firsts.get(why, '')}")
    lines += [f"- {escape_markdown(line)}" for line in tell_left_out(result)]
    remarks = map(escape_markdown, result.get("remarks", ()))
    lines += [f"- Remarked on reading: {remark}" for remark in remarks]
    return "\n".join(lines)


def _no_scores(submission: Mapping[str, Any]) -> str:
    file, server = mark_code(submission["file"]), escape_markdown(submission["server"])
    return (
        f"No scores: the true answers are not public. {file} is to be handed in "
        f"as {server} says; it answers {submission['answers']} questions, and "
        f"{submission['empty']} by an empty text."
    )


def _table(scores: Mapping[str, Any], headlines: Sequence[str]) -> str:
    """One table per group, which is what stands before the last slash of a score's name."""
    parts = []
    for group, names in groupby(scores, key=lambda name: name.rpartition("/")[0]):
        heads = "| score | value | 95 % interval | n |\n|---|--:|--:|--:|"
        rows = [f"## {escape_markdown(_title(group))}\n\n{heads}"]
        for name in names:
            label, score = escape_markdown(name.rpartition("/")[2]), scores[name]
            label = f"**{label}**" if name in headlines else label
            rows.append(
                f"| {label} | {format_value(score)} | {format_interval(score)} | {score['n']} |"
            )
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def _category_table(
    categories: Mapping[str, Mapping[str, float]], names: Mapping[str, Sequence[str]]
) -> str:
    """A row per category, those with most questions first."""
    columns = category_columns(categories)
    lines = [
        "## By category",
        "",
        f"| category | {' | '.join(map(escape_markdown, columns))} |",
        f"|---|{'--:|' * len(columns)}",
    ]
    for name, figures in islice(categories.items(), _CATEGORIES):
        cells = (format_figure(column, figures.get(column)) for column in columns)
        label = label_category(name, names)
        lines.append(f"| {escape_markdown(label)} | {' | '.join(cells)} |")
    if len(categories) > _CATEGORIES:
        lines += ["", f"{len(categories) - _CATEGORIES} more in `{run_files.SCORES}`."]
    return "\n".join(lines)


def _title(group: str) -> str:
    return group.replace("/", ", ").capitalize() if group else "Scores"


def _examples(out: Path, task: Task, rows: Sequence[ScoredAnswer], media: Path, seed: int) -> str:
    """Hits and misses, half and half where there are enough, drawn by `seed`."""
    folder = out / run_files.PICTURES
    if folder.is_symlink():
        raise InputError(f"{folder}: is a link; remove it, for what it leads to is not the run's")
    folder.mkdir(exist_ok=True)
    for kind in ("hit", "miss"):
        for old in folder.glob(f"[0-9][0-9]-{kind}.jpg"):
            old.unlink()
    parts = [
        f"## Examples\n\nHits and misses, drawn at random from each. Hit: {task.hit}. {_COLOURS}"
    ]
    for number, (hit, row) in enumerate(pick(((r.hit, r) for r in rows), _EXAMPLES, seed=seed), 1):
        name = f"{number:02}-{'hit' if hit else 'miss'}.jpg"
        try:
            how = {"clip": task.card.clips, "mirrored": row.mirrored}
            image = illustrate(confine(media, row.image), row.marks, row.found, **how)
        except InputError as error:  # its answer is older than what happened to the file
            shown = f"(cannot be shown: {escape_markdown(str(error))})"
        else:
            (folder / name).write_bytes(encode_jpeg(image))
            shown = f"![{escape_markdown(row.expected)}]({link_file(run_files.PICTURES, name)})"
        parts.append(
            f"### {'Hit' if hit else 'Miss'}: {escape_markdown(row.image)}"
            f"{' (mirrored)' if row.mirrored else ''}\n\n{shown}\n\n"
            f"- Asked: {escape_markdown(row.prompt)}\n"
            f"- Answered: {escape_markdown(row.answer) or '(nothing)'}\n"
            f"- Expected: {escape_markdown(row.expected)}"
        )
    return "\n\n".join(parts)
