"""What `eval`, `score` and `questions` share: a task's files and options, scores on the screen."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from tyro.conf import arg

from locvlm.annotations.effects import tell_effect
from locvlm.commands.arguments import (
    Boxes,
    OptionalFile,
    OptionalName,
    OptionalNumber,
    Settings,
    parse_setting,
)
from locvlm.errors import InputError
from locvlm.shown.terminal import say, say_json

if TYPE_CHECKING:
    from locvlm.evaluation.judge.judge import Judge
    from locvlm.evaluation.task import Sources


@dataclass(frozen=True)
class TaskFiles:
    """A task's own files and options.

    Args:
        annotations: the task's own file, as `locvlm eval --list` says; so are the next two. A data
            set of `locvlm build` will do for detection annotations, and tells --images.
        questions: see annotations.
        references: see annotations.
        from_: form of detection annotations; told from the file if not given.
        boxes: how that file writes boxes, where it is not what its form says (see `locvlm build`).
        several: locate, where a picture holds several objects of a kind: any of them is right, in
            scores of their own (the default), or they are not asked about.
        split: train, val, test … where the annotations have splits, or all; val if not given, else
            test, else all that there is.
        names: file of the words to ask with in place of the categories' names (see `locvlm build`);
            those that a data set was built with need none.
        option: another option of the task, such as min_objects=2; may be repeated.
    """

    annotations: OptionalFile = None
    questions: OptionalFile = None
    references: OptionalFile = None
    from_: Annotated[str | None, arg(name="from", metavar="NAME")] = None
    boxes: Boxes = None
    several: Annotated[Literal["any", "skip"] | None, arg(metavar="any|skip")] = None
    split: Annotated[str | None, arg(metavar="NAME")] = None
    names: OptionalFile = None
    option: Settings = field(default_factory=list)

    @property
    def paths(self) -> dict[str, Path]:
        """The files that were given, by the names of their flags."""
        files = {name: getattr(self, name) for name in ("annotations", "questions", "references")}
        return {name: path for name, path in files.items() if path is not None}

    @property
    def tell_images(self) -> bool:
        """Whether the folder of the images is known from the annotations: a built data set's is."""
        from locvlm.annotations.built import is_built

        return self.annotations is not None and is_built(self.annotations)

    def sources(self, images: Path | None, videos: Path | None) -> Sources:
        """Where a task finds its questions, with the folders of images and clips."""
        from locvlm.annotations.wording import read_names
        from locvlm.evaluation.task import Sources

        names = None if self.names is None else read_names(self.names)
        return Sources(self.paths, images, self.from_, videos, self.boxes, self.split, names)

    def flags(self) -> list[str]:
        """The flags that give them again."""
        names = (item.name for item in fields(self) if item.name != "option")
        given = {name: getattr(self, name) for name in names}
        flags = [(name.rstrip("_"), value) for name, value in given.items() if value is not None]
        flags += [("option", text) for text in self.option]
        return [word for name, value in flags for word in (f"--{name}", str(value))]

    def for_task(self, name: str) -> TaskFiles:
        """As the task wants them: of one that has an own option for its splits, ``--split`` is it.

        Raises InputError where there is no such task, or both are given.
        """
        from locvlm.evaluation import tasks

        if self.split is None or "split" not in tasks.get(name).options:
            return self
        if any(option.startswith("split=") for option in self.option):
            raise InputError("--split and --option split=… say the same; leave one out")
        return replace(self, split=None, option=[*self.option, f"split={self.split}"])

    def options(self, min_objects: int | None = None) -> dict[str, Any]:
        """The options that were given; the task has defaults for the rest."""
        given = dict(map(parse_setting, self.option))
        flags = {"min_objects": min_objects, "several": self.several}
        return given | {name: value for name, value in flags.items() if value is not None}


@dataclass(frozen=True)
class JudgeOptions:
    """How a judge is asked.

    Args:
        judge_model: its name, as the server has it.
        judge_prompt: a file with another prompt, with {question}, {answer} and {prediction};
            ours, to begin with, is evaluation/judge/prompt.txt in the package.
        judge_budget: requests that may be made now; any number if not given.
        judge_parallel: requests under way at a time; 4 if not given.
        judge_setting: of the request, such as max_tokens=100; may be repeated. temperature is 0.
    """

    judge_model: OptionalName = None
    judge_prompt: OptionalFile = None
    judge_budget: OptionalNumber = None
    judge_parallel: OptionalNumber = None
    judge_setting: Settings = field(default_factory=list)

    def judge_at(self, url: str | None) -> Judge | None:
        """The judge at a URL; None where none is wanted. Raises InputError on half a judge."""
        from locvlm.evaluation.judge.judge import PARALLEL, Judge
        from locvlm.evaluation.judge.protocol import PROMPT, read_prompt
        from locvlm.openai_client import Endpoint, Flags

        if url is None and self == JudgeOptions():
            return None
        if url is None or self.judge_model is None:
            raise InputError("a judge is given by --judge URL and --judge-model NAME together")
        flags = Flags("--judge", "--judge-model", "LOCVLM_JUDGE_KEY")
        key = os.environ.get(flags.key) or os.environ.get("OPENAI_API_KEY") or ""
        settings = {"temperature": 0, **dict(map(parse_setting, self.judge_setting))}
        return Judge(
            Endpoint(url, self.judge_model, key.strip(), settings, flags=flags),
            PROMPT if self.judge_prompt is None else read_prompt(self.judge_prompt),
            PARALLEL if self.judge_parallel is None else self.judge_parallel,
            self.judge_budget,
        )


_CATEGORIES = 12  # that are printed
UNREAD = {
    "unread_locations": "answers with what looks like a location and cannot be read",
    "thoughts_alone": "answers that are a thought without an end",
    "truncated": "answers that were cut at the limit of tokens",
    "empty": "answers without a word (where yes or no is asked, they are scored as a yes)",
}


def print_scores(result: dict[str, Any], out: Path | None, *, json: bool) -> None:
    """Print ``scores.json`` as it is, or a table of it and where the report lies.

    Where a server alone has the true answers, what to do with the file of answers instead.
    """
    if json:
        say_json(result)
        return
    from locvlm.evaluation.learned import describe_learned

    if "submission" in result:
        from locvlm.evaluation.submission import format_submission

        say(*format_submission(result, out))
    else:
        _print_table(result)
    if unreadable := result.get("unreadable"):
        say(f"pictures or clips that cannot be read, named in scores.json: {len(unreadable)}")
    from locvlm.evaluation.left_out import tell_left_out

    firsts = {why: f" (the first: {one})" for why, one in result.get("examples", {}).items()}
    for reason, count in result["skipped"].items():
        if not (unreadable and reason.endswith("that cannot be read")):  # told above
            say(f"skipped, {reason}: {count}{firsts.get(reason, '')}")
    for reason, count in result["dropped"].items():
        say(f"{tell_effect(reason)} on reading, {reason}: {count}{firsts.get(reason, '')}")
    for line in (*tell_left_out(result), *result.get("remarks", ())):
        say(line)
    if learned := describe_learned(result):
        say(learned)
    for name, what in UNREAD.items():
        if counted := result.get(name):
            say(f"{what}: {counted['answers']}, such as {counted['examples'][0]}")
    if out is not None:
        from locvlm.evaluation.run_files import REPORT

        say(out / REPORT)


def _print_table(result: dict[str, Any]) -> None:
    from rich.table import Table

    from locvlm.evaluation.limited import tell_asked
    from locvlm.evaluation.provenance import tell_split
    from locvlm.evaluation.samples import format_decoding
    from locvlm.shown.screen import Screen

    table = Table(title=f"{result['task']} · {result['model']} · {result['data']}")
    for column in ("score", "value", "95 % interval", "n"):
        table.add_column(column, justify="left" if column == "score" else "right")
    for name, score in result["scores"].items():
        value = "–" if score["value"] is None else f"{score['value']:.3f}"
        spread = "" if score.get("sd") is None else f" ± {score['sd']:.3f}"
        interval = f"{score['low']:.3f} … {score['high']:.3f}"
        table.add_row(name, value + spread, interval, str(score["n"]))
    Screen().print(table)
    if categories := result.get("categories"):
        _print_categories(categories, result.get("names", {}))
    if split := tell_split(result):
        say(split)
    if remark := format_decoding(result["decoding"]):
        say(remark)
    if asked := tell_asked(result, "pictures or clips"):
        say(asked)
    if result["unanswered"]:
        say(f"questions without an answer: {result['unanswered']}")


def _print_categories(
    categories: Mapping[str, Mapping[str, float]], names: Mapping[str, Sequence[str]]
) -> None:
    """The categories with most questions, in their own table."""
    from rich.markup import escape
    from rich.table import Table

    from locvlm.evaluation.categories import category_columns, format_figure, label_category
    from locvlm.shown.screen import Screen

    columns = category_columns(categories)
    table = Table()
    table.add_column("category")
    for column in columns:
        table.add_column(column.replace("/", "/ "), justify="right")  # so that it may be wrapped
    for name, figures in islice(categories.items(), _CATEGORIES):
        cells = (format_figure(column, figures.get(column)) for column in columns)
        table.add_row(escape(label_category(name, names)), *cells)
    Screen().print(table)
    if len(categories) > _CATEGORIES:
        say(f"{len(categories) - _CATEGORIES} more categories: in report.md and scores.json")


def print_tasks(*, json: bool) -> None:
    """Print what is known about each task, and which files it takes."""
    from locvlm.evaluation import tasks
    from locvlm.evaluation.hub_copies import COPIES

    cards = [(tasks.get(name), name) for name in tasks.names()]
    if json:
        rows = [
            {
                "name": name,
                **msgspec.to_builtins(task.card),
                "files": msgspec.to_builtins(task.files),
                "default copy": COPIES[name].repository if name in COPIES else None,
            }
            for task, name in cards
        ]
        say_json(rows)
        return
    for task, name in cards:
        card = task.card
        say(f"{name}: {card.kind}; {card.size}")
        if card.clips:
            say("    --videos the clips")
        for flag, file in task.files.items():
            note = " (from the hub if not given)" if file.hub else ""
            note = note if file.needed else " (may be left out)"
            say(f"    --{flag} {file.what}{note}")
        say(f"    from {card.source}" + (f", hub {card.hub}" if card.hub else ""))
        if copy := COPIES.get(name):
            images = ", with its pictures" if copy.has_images else ""
            say(f"    without any file: {copy.repository} on the hub{images}")
        say(f"    license {card.license}")
