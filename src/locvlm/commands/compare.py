"""`locvlm compare`: two runs of `locvlm eval` on the same questions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from locvlm.commands.arguments import Folder, Number, OptionalFolder
from locvlm.commands.figure_table import make_figure_table
from locvlm.commands.next_step import format_command, print_next
from locvlm.errors import InputError
from locvlm.io.json_rows import write_rows
from locvlm.io.outputs import Reads, fill_output_folder
from locvlm.shown.terminal import say, say_json, shorten

if TYPE_CHECKING:
    from rich.table import Table

    from locvlm.evaluation.reports.paired import RunComparison
    from locvlm.evaluation.task import ScoredAnswer
    from locvlm.shown.screen import Screen

SHOWN = 5  # questions of each kind on the screen
LONGEST = 400  # characters of an answer there


def compare(
    a: Folder,
    b: Folder,
    /,
    *,
    images: OptionalFolder = None,
    out: OptionalFolder = None,
    seed: Number = 0,
    json: bool = False,
) -> None:
    """How far two runs are apart, how sure that is, and where they differ.

    Expected boxes and found ones, in brackets, are x1,y1,x2,y2 in pixels of the original picture;
    answers stand as the models gave them, in their own format and frame.

    Args:
        a: folder of the run that the other is held against.
        b: folder of the other run, of the same questions.
        images: folder of the pictures or clips, for a report that shows some.
        out: folder for differences.jsonl, all questions that only one of them has right, and with
            --images report.html.
        seed: of the bootstrap.
        json: print the differences of the scores as JSON.
    """
    from locvlm.evaluation.reports.paired import compare_runs

    if images is not None and out is None:
        raise InputError("--images is for a report; give --out too")
    if out is None:
        found = compare_runs(a, b, seed=seed)
    else:
        with fill_output_folder(out, "compare", Reads([a, b, images])) as folder:
            found = compare_runs(a, b, seed=seed)
            _write(found, a, b, images, folder, seed)
    if json:
        say_json(_as_json(found))
    else:
        _show(found, out)
        photos = ["--images", images] if images else []
        print_next(format_command("prove", a, b, *photos, "--out", "proof"))


def _as_json(found: RunComparison) -> dict[str, Any]:
    from locvlm.evaluation.proof.figures import give_verdicts

    return {
        "task": found.task,
        "models": found.models,
        "scores": {
            name: {
                **msgspec.to_builtins(score),
                **dict(zip(("low", "high"), score.interval, strict=True)),
                "difference": score.value,
            }
            for name, score in found.scores.items()
        },
        "verdicts": give_verdicts(found),
        "only a": len(found.only_a),
        "only b": len(found.only_b),
        "both": found.both,
        "neither": found.neither,
        "unseen": dict(zip("ab", found.lacks, strict=True)),
        **({"samples": found.samples} if any(found.drawn) else {}),
        **({"learned": dict(zip("ab", found.learned, strict=True))} if any(found.learned) else {}),
    }


def _write(
    found: RunComparison, a: Path, b: Path, images: Path | None, out: Path, seed: int
) -> None:
    from locvlm.evaluation.proof.figures import give_verdicts
    from locvlm.evaluation.reports.comparison import write_comparison

    rows = [
        {
            "id": x.id,
            "image": x.image,
            "prompt": x.prompt,
            "expected": x.expected,
            "right": right,
            "a": x.answer,
            "b": y.answer,
            "found": {"a": x.found, "b": y.found},
        }
        for right, pairs in (("a", found.only_a), ("b", found.only_b))
        for x, y in pairs
    ]
    write_rows(out / "differences.jsonl", rows)
    if images is not None:
        runs = {name: {found.task: run} for name, run in zip(found.models, (a, b), strict=True)}
        title = " → ".join(found.models)
        verdicts = [(verdict.word, verdict.sentence) for verdict in give_verdicts(found)]
        write_comparison(runs, images, out, title=title, seed=seed, verdicts=verdicts)


def _show(found: RunComparison, out: Path | None) -> None:
    from locvlm.evaluation.proof.figures import give_verdicts
    from locvlm.shown.screen import Screen

    a, b = found.models
    screen = Screen()
    screen.print(_table(found, screen))
    for model, drawn in zip(found.models, found.drawn, strict=True):
        if drawn:
            say(f"{model}: answers {drawn}")
    if max(found.samples) > 1:
        say("which of them is right, of the first sample:")
    for model, pairs in ((a, found.only_a), (b, found.only_b)):
        screen.print(f"only {model} is right: {len(pairs)}", highlight=False)
        for x, y in pairs[:SHOWN]:
            answers = f"{a}: {_answer(x)}, {b}: {_answer(y)}"
            expected = shorten(x.expected, LONGEST)
            say(f"    {x.id}: {shorten(x.prompt)!r} expected {expected!r}; {answers}")
    screen.print(f"both: {found.both}, neither: {found.neither}", highlight=False)
    for model, other, count in zip((a, b), (b, a), found.lacks, strict=True):
        if count:
            say(f"not compared: {count} questions of {other} about what {model} does not see")
    for sentence in filter(None, found.learned):
        screen.print(sentence, markup=False, highlight=False)
    for verdict in give_verdicts(found):
        screen.print(verdict.sentence, markup=False, highlight=False)
    if out is not None:
        say(out)


def _table(found: RunComparison, screen: Screen) -> Table:
    """The names of the models are in its title alone: columns are too narrow for them."""
    from locvlm.evaluation.proof.wording import format_score

    rows = []
    for name, score in found.scores.items():
        low, high = score.interval
        rows.append(
            (
                format_score(name),
                f"{score.a:.3f} → {score.b:.3f}",
                f"{score.value:+.3f}{'*' if score.sure else ' '}",
                f"{low:+.3f} … {high:+.3f}",
                str(score.n),
            )
        )
    heads = ("score", "a → b", "difference", "95 % interval", "n")
    title = f"{found.task}: {found.models[0]} → {found.models[1]}"
    caption = "* the interval leaves out 0"
    return make_figure_table(screen, title, heads, rows, spare=("n",), caption=caption)


def _answer(row: ScoredAnswer) -> str:
    """As it was given, in its model's format and frame; its box in the picture's pixels behind."""
    box = "" if row.found is None else f" ({','.join(f'{v:.0f}' for v in row.found)})"
    return f"{shorten(row.answer, LONGEST)!r}{box}"
