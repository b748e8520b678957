"""Where runs may be written: nowhere that is read, and into no folder of others (`io.outputs`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from locvlm.annotations.listing import is_read_deeply
from locvlm.evaluation import run_files
from locvlm.evaluation.run_files import EvaluationRun
from locvlm.evaluation.task import Sources
from locvlm.io.links import identity_of
from locvlm.io.outputs import Reads, check_output_folder, claim_output_folder
from locvlm.models.folders import user_folders

SUITE = "eval --suite"


def reads_of(sources: Sources | Path | None, *models: str, files: Iterable[Path] = ()) -> Reads:
    """What an evaluation reads.

    Args:
        sources: a task's files, or the folder of a suite's data; None: nothing of the kind.
        models: shipped ones, or folders of models or of runs.
        files: what else.
    """
    others = [*user_folders(*models), *files]
    if sources is None or isinstance(sources, Path):
        return Reads([sources, *others])
    listed = [path for path in sources.files.values() if is_read_deeply(path, sources.reader)]
    return Reads([*sources.files.values(), sources.images, sources.videos, *others], listed)


def check_run_folder(out: Path, reads: Reads) -> None:
    """Raise InputError unless `out` is new or empty, or holds a run of `locvlm eval`."""
    check_output_folder(out, reads, is_own=_holds_run)


def check_score_folder(out: Path, predictions: Path, sources: Sources) -> None:
    """Raise InputError unless the scores of `predictions` may be written into `out`.

    They may lie beside the answers of `locvlm eval`, but not beside those of another tool.
    """
    beside = identity_of(out) == identity_of(predictions.parent) and _holds_run(out)
    reads = reads_of(sources, files=() if beside else (predictions,))
    check_output_folder(out, reads, is_own=lambda folder: _holds_run(folder) or _is_scored(folder))


def claim_suite_folder(out: Path, sources: Sources | Path, model: str, suite: str) -> None:
    """Make `out` a suite's, or go on in it. Raises InputError where it holds something else."""
    reads = reads_of(sources, model, files=[Path(suite)])
    claim_output_folder(out, SUITE, reads, is_older=_holds_suite)


def claim_proof_folder(out: Path, sources: Sources | None, base: str, tuned: str) -> None:
    """Make `out` a proof's, or go on in it. Raises InputError where it holds something else."""
    claim_output_folder(out, "prove", reads_of(sources, base, tuned))


def _holds_run(folder: Path) -> bool:
    if (folder / run_files.RUN).exists():
        run_files.read_json(folder / run_files.RUN, EvaluationRun)
        return True
    return False


def _is_scored(folder: Path) -> bool:
    """Whether `locvlm score` wrote the scores of another tool's answers there."""
    scores = folder / run_files.SCORES
    if not (scores.is_file() and (folder / run_files.SCORED).is_file()):
        return False
    found: dict[str, Any] = run_files.read_json(scores, dict)
    return {"task", "model", "scores"} <= found.keys()


def _holds_suite(folder: Path) -> bool:
    """Of older versions, which left no mark: there are but pages and folders with runs."""
    return all(map(_is_of_suite, folder.iterdir()))


def _is_of_suite(path: Path) -> bool:
    pages = (run_files.SUITE_PAGE, run_files.SUITE_TABLE)
    runs = (run_files.COMPARISON, f"*/{run_files.RUN}", f"*/*/{run_files.RUN}")
    return path.name in pages or any(True for each in runs for _ in path.glob(each))
