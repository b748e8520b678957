"""Run a suite: what is on disk, each entry into a folder of its own, then one table of all.

OUT/tiny/coco-spatial/…     a run (see `run_files`); of runs/b/model: OUT/runs--b--model/…
OUT/coco-spatial/report.html  its hits and misses, of all models that were run into OUT
OUT/suite.html, suite.md    the table
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locvlm.distributed import current_process
from locvlm.errors import InputError
from locvlm.evaluation import run_files, tasks
from locvlm.evaluation.ask_model import Answerer
from locvlm.evaluation.reports.comparison import write_comparison
from locvlm.evaluation.run_scores import read_scores
from locvlm.evaluation.runner import evaluate
from locvlm.evaluation.suites.page import write_pages
from locvlm.evaluation.suites.suite import Entry, find_sources
from locvlm.evaluation.task import NoQuestionsError, Sources
from locvlm.io.confined_paths import confine_output


@dataclass(frozen=True)
class SuiteResult:
    """What became of the entries."""

    page: Path  # suite.html
    scores: dict[str, dict[str, Any]]  # entry -> ``scores.json``
    absent: dict[str, str]  # entry -> why it was not run


def run_suite(
    predictor: Answerer,
    entries: Sequence[Entry],
    root: Path | Sources,
    out: Path,
    *,
    limit: int | Mapping[str, int] | None = None,
    seed: int = 0,
    samples: int = 1,
) -> SuiteResult:
    """Evaluate a model on all entries that are on disk; what cannot be run stops no other.

    Args:
        predictor: the model.
        entries: the suite.
        root: folder that the entries' files are below; or one detection data set for all of them.
        out: folder of the suite's runs, also those of other models.
        limit: pictures or clips per entry, or of each by its name; None, or not named: all.
        seed: of what the tasks draw.
        samples: answers to each question, of a model that draws them.

    Raises:
        InputError: nothing of the suite could be run.
    """
    scores: dict[str, dict[str, Any]] = {}
    absent: dict[str, str] = {}
    first = current_process().rank == 0
    model = name_folder(predictor.name)
    for entry in entries:
        try:
            sources = find_sources(entry, root)
            page = confine_output(out, entry.name)
            folder = confine_output(out, f"{model}/{entry.name}")
            most = limit.get(entry.name) if isinstance(limit, Mapping) else limit
            scores[entry.name] = evaluate(
                predictor,
                entry.task,
                sources,
                folder,
                limit=most,
                seed=seed,
                samples=samples,
                **entry.options,
            )
        except NoQuestionsError as error:
            absent[entry.name] = error.reason
            continue
        except InputError as error:
            absent[entry.name] = str(error)
            continue
        if first and "submission" not in scores[entry.name]:
            _write_entry_page(entry, sources, out, model, page)
    if not scores:
        name, reason = next(iter(absent.items()), ("the suite", "it is empty"))
        where = root["annotations"] if isinstance(root, Sources) else root
        raise InputError(f"{where}: nothing of the suite can be run; {name}: {reason}")
    if first:
        runs = read_runs(out, entries)
        for name in absent:  # what was found is of other settings, or of the model before
            runs[name].pop(model, None)
        write_pages(out, entries, runs, absent)
    return SuiteResult(out / run_files.SUITE_PAGE, scores, absent)


def name_folder(model: str) -> str:
    """One folder's name for a model, whose own may be a path or a hub id.

    ``out / "/a/model"`` would be the model's own folder, and ``out / "a/model"`` is two deep.

    >>> name_folder("tiny"), name_folder("./runs/b/model"), name_folder("llava-hf/llava-1.5-7b-hf")
    ('tiny', 'runs--b--model', 'llava-hf--llava-1.5-7b-hf')
    """
    path = Path(model)
    if ".." in path.parts or path.name == "":
        path = path.resolve()
    return "--".join(part for part in path.parts if part != path.anchor)


def read_runs(out: Path, entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """All finished runs ``out/MODEL/ENTRY``."""
    return {
        entry.name: {
            path.parent.parent.name: read_scores(path.parent)
            for path in sorted(out.glob(f"*/{entry.name}/{run_files.SCORES}"))
        }
        for entry in entries
    }


def _write_entry_page(entry: Entry, sources: Sources, out: Path, model: str, page: Path) -> None:
    """The entry's page, of all models that were asked the same; else of this one."""
    media = sources.media_folder(tasks.get(entry.task))
    if media is None:
        return
    folders = {path.parent.name: path for path in sorted(out.glob(f"*/{entry.name}"))}
    runs = {name: {entry.task: path} for name, path in folders.items()}
    try:
        write_comparison(runs, media, page, title=entry.name)
    except InputError:  # with other limits or files
        write_comparison({model: runs[model]}, media, page, title=entry.name)
