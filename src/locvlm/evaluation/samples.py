"""Several drawn answers to each question: a file of each sample, and the scores of all together.

predictions.jsonl, predictions-2.jsonl, …   one answer to each question in each
scored.jsonl, scored-2.jsonl, …             likewise
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from locvlm.errors import InputError
from locvlm.evaluation import run_files, tasks
from locvlm.evaluation.ask_model import AnswerMethod
from locvlm.evaluation.intervals import Score, without_intervals
from locvlm.evaluation.predictions import Prediction, read_predictions
from locvlm.evaluation.run_scores import read_scores
from locvlm.evaluation.task import ScoredAnswer, Task
from locvlm.io.json_rows import append_rows, drop_torn_line


def sample_path(path: Path, sample: int) -> Path:
    """The file of a sample, from 1, where `path` is that of the first."""
    return path if sample == 1 else path.with_stem(f"{path.stem}-{sample}")


def sample_number(path: Path, first: str) -> int | None:
    """Which sample a file is of, where that of the first is named `first`; None: it is of none."""
    stem, name = Path(first).stem, path.name
    number = path.stem.removeprefix(f"{stem}-")
    if name == first:
        return 1
    return int(number) if number.isdecimal() and name == f"{stem}-{int(number)}.jsonl" else None


def read_scored_samples(folder: Path) -> list[list[ScoredAnswer]]:
    """The scored rows of a run's folder, of each sample. Raises InputError where it has none."""
    result = read_scores(folder)
    samples = [run_files.read_scored(folder)]
    for number in range(2, 1 + samples_of(result.get("decoding"))):
        samples.append(run_files.read_rows(sample_path(folder / run_files.SCORED, number)))
        _check_same_questions(folder, samples)
    task = tasks.get(result["task"])
    if task.resample is None:
        for rows in samples:
            _check_rows(folder, task, rows)
    return samples


def _check_same_questions(folder: Path, samples: Sequence[Sequence[ScoredAnswer]]) -> None:
    first, last = ({row.id for row in rows} for rows in (samples[0], samples[-1]))
    if first != last:
        raise InputError(
            f"{folder}: sample {len(samples)} is not of the same questions as the first, such as "
            f"{min(first ^ last)!r}; score the answers again"
        )


def _check_rows(folder: Path, task: Task, rows: Sequence[ScoredAnswer]) -> None:
    """Raises InputError where they are not what the task sums up: their groups and values."""
    try:
        with without_intervals():
            task.summarize(rows, seed=0)
    except (LookupError, ArithmeticError, TypeError, ValueError) as error:
        raise InputError(
            f"{folder / run_files.SCORED}: not the rows of {task.name}: {type(error).__name__} "
            f"{error} in values or meta; score the answers again"
        ) from None


def samples_of(decoding: Mapping[str, Any] | None) -> int:
    """How many answers to each question a run has, by what it records of its decoding."""
    return int((decoding or {}).get("samples", 1))


def format_decoding(decoding: Mapping[str, Any] | None) -> str:
    """A line about answers that were drawn; "": they were not."""
    if not decoding or "temperature" not in decoding:
        return ""
    line = f"drawn at temperature {decoding['temperature']:g}, seed {decoding['seed']}"
    if (samples := samples_of(decoding)) > 1:
        line += f": mean ± standard deviation over {samples} answers to each question"
    return line + (f", sample {decoding['sample']} alone" if "sample" in decoding else "")


def check_samples(samples: int, method: AnswerMethod, *, drawn: bool) -> None:
    """Raises InputError unless answers can be had so; `drawn`: at a temperature."""
    if samples < 1:
        raise InputError(f"samples must be at least 1, not {samples}")
    if method == "choice" and (drawn or samples > 1):
        raise InputError(
            "--answer choice takes the likeliest, nothing is drawn: leave out "
            "--temperature and --samples"
        )
    if samples > 1 and not drawn:
        raise InputError(
            f"{samples} greedy samples are all the same; give a --temperature too, such as 0.2"
        )


@dataclass(frozen=True)
class AnswerFiles:
    """The predictions of a run."""

    path: Path  # of the first sample
    samples: int = 1
    process: int | None = None  # whose files they are, until `merge_parts`; None: of all

    @property
    def paths(self) -> list[Path]:
        """The file of each sample."""
        paths = [sample_path(self.path, 1 + i) for i in range(self.samples)]
        if self.process is None:
            return paths
        return [path.with_suffix(f".{self.process}{path.suffix}") for path in paths]

    def of_process(self, rank: int) -> AnswerFiles:
        """Those that one of several processes writes, such as predictions-2.7.jsonl."""
        return replace(self, process=rank)

    def open(self) -> None:
        """Make the files where there are none; what a kill tore is cut off."""
        for path in self.paths:
            drop_torn_line(path)
            path.touch()
        self.merge_parts()

    def ids(self) -> list[set[str]]:
        """The questions with an answer, of each sample."""
        return [{row.id for row in read_predictions(path)} for path in self.paths]

    def append(self, rows: Iterable[Sequence[Prediction]], done: Sequence[set[str]]) -> None:
        """Add the answers of each sample to a question, but those that are `done` already."""
        samples = zip(*rows, strict=True)  # none where there are no rows
        for path, of_sample, known in zip(self.paths, samples, done, strict=False):
            append_rows(path, [row for row in of_sample if row.id not in known])

    def merge_parts(self) -> None:
        """The answers of several processes, also of a run that was killed, into one file."""
        for path in self.paths:
            for part in self._parts(path):
                drop_torn_line(part)
                done = {row.id for row in read_predictions(path)}
                append_rows(path, [row for row in read_predictions(part) if row.id not in done])
                part.unlink()

    def every(self) -> Iterable[Prediction]:
        """All answers there are, also those that are not merged; what a kill tore is cut off."""
        for path in self.paths:
            for each in (path, *self._parts(path)):
                if each.exists():
                    drop_torn_line(each)
                    yield from read_predictions(each)

    @staticmethod
    def _parts(path: Path) -> list[Path]:
        return sorted(path.parent.glob(f"{path.stem}.*{path.suffix}"))


@dataclass(frozen=True, slots=True)
class SampledScore(Score):
    """The mean of a score over several samples."""

    sd: float | None = None  # its standard deviation over the samples; None: of one alone


def mean_scores(samples: Sequence[Mapping[str, Score]]) -> Mapping[str, Score]:
    """The scores of all samples together; of one, as they are.

    Answers to one question are not independent, so an interval is as wide as those of one sample
    are on average, however many there are: at most too wide, by what the mean evens out. A sample
    in which a score has no value does not count for it.
    """
    if len(samples) == 1:
        return samples[0]
    names = dict.fromkeys(name for scores in samples for name in scores)
    return {name: _mean([scores[name] for scores in samples if name in scores]) for name in names}


def _mean(scores: Sequence[Score]) -> SampledScore:
    valued = [score for score in scores if score.value is not None] or list(scores)
    values = [score.value for score in valued if score.value is not None]
    return SampledScore(
        value=mean(values) if values else None,  # exact: the mean of equal ones is that one
        low=mean(score.low for score in valued),
        high=mean(score.high for score in valued),
        n=min(score.n for score in valued),
        kind=valued[0].kind,
        sd=stdev(values) if len(values) > 1 else None,
    )
