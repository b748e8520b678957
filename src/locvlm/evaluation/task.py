"""What a task is made of: questions before the model, outcomes after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.form_names import BoxForm
from locvlm.annotations.wording import Names
from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError
from locvlm.evaluation.intervals import Score
from locvlm.evaluation.left_out import LeftOut
from locvlm.geometry import Box, Frame, Location, Size
from locvlm.instructions.base import Instruction
from locvlm.io.digests import digest_bytes, digest_file


@dataclass(frozen=True, slots=True)
class Mark:
    """A true location with its name, to be drawn."""

    label: str
    coords: tuple[float, ...]  # original pixels: x1, y1, x2, y2 or x, y


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one picture. Its text is rendered when it is asked."""

    id: str  # that of the official file, or made: the same data, seed and options give the same
    image: str  # file name, relative to the folder of the pictures
    size: Size | None  # (width, height), original pixels; None: whatever the picture has
    instruction: Instruction  # its answer is an ideal one; its `{loc}` are still geometry
    expected: str  # what the score looks for: a word, a name, or "x1,y1,x2,y2" original pixels
    meta: Mapping[str, str] = field(default_factory=dict)  # the groups that scores are split by
    marks: tuple[Mark, ...] = ()
    accepted: tuple[str, ...] = ()  # all true answers, where people gave several
    choices: tuple[str, ...] = ()  # all answers there can be, worded as the ideal one
    # Asked about the picture with left and right exchanged. "Original pixels" of its locations and
    # marks are then those of the mirrored picture
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A file that a task reads."""

    what: str  # which one, as its publisher names it
    needed: bool = True
    hub: str = ""  # its path in the hub's copy (`TaskCard.hub`), where that has the very file
    has_boxes: bool = False  # those of a data set, which --boxes says how to read


@dataclass(frozen=True, slots=True)
class TaskCard:
    """What a task is, for `locvlm eval --list`."""

    kind: str  # of the paper's five, such as "spatial reasoning"
    size: str  # questions of the official data
    license: str  # of the annotations
    source: str  # where they are to be had
    hub: str = ""  # id of a copy on the Hugging Face hub
    clips: bool = False  # asked about video clips, not about pictures


# The true answers: there; public, and not among the files; or with a server alone (test splits)
Truths = Literal["there", "not given", "secret"]


@dataclass(frozen=True, slots=True)
class Submission:
    """How answers are handed in where a server alone has the true ones."""

    row: Callable[[str, str], dict[str, Any]]  # of a question's id and its answer
    server: str  # where it is told how


@dataclass(frozen=True)
class QuestionSet:
    """All questions of a task, and what gave none."""

    questions: tuple[Question, ...]  # `tasks.load` puts those about one picture together
    skipped: Counter[str] = field(default_factory=Counter)  # reason -> pictures
    source: str = ""  # name of the file that they come from
    categories: tuple[str, ...] = ()  # all names of the data set, where it has such
    dropped: Counter[str] = field(default_factory=Counter)  # reason -> left out on reading
    remarks: tuple[str, ...] = ()  # what is odd about the annotations as a whole
    sources: Sources = field(default_factory=lambda: Sources())  # as `tasks.load` completed them
    truths: Truths = "there"
    not_asked: tuple[str, ...] = ()  # where they are secret: ids of questions without a picture
    left_out: tuple[LeftOut, ...] = ()  # objects of detection annotations that are not asked about
    split: str = ""  # of detection annotations, or "all"; empty: they have none
    names: Names = field(default_factory=dict)  # their own -> words in `categories`, then synonyms

    def __len__(self) -> int:
        return len(self.questions)

    def __iter__(self) -> Iterator[Question]:
        return iter(self.questions)


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """What is needed to understand an answer."""

    coordinates: CoordinateFormat | None  # how it writes locations; None: not known
    frame: Frame | None  # of this picture, for this model; None: the picture's size is not known
    categories: tuple[str, ...]  # all names of the data set
    synonyms: Mapping[str, str] = field(default_factory=dict)  # other words for a category -> it
    # Filled as answers are read: what looks like a location and is none, as texts
    unread: list[str] = field(default_factory=list)

    def locations(self, answer: str) -> list[Location]:
        """Those in the answer, original pixels. Raises InputError where it cannot be known."""
        if self.coordinates is None or self.frame is None:
            raise InputError("how these answers write locations is not known; give --format NAME")
        report = self.coordinates.parse_report(answer, self.frame)
        self.unread.extend(answer[start:end] for start, end in report.unread)
        return report.locations


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an answer was worth."""

    hit: bool  # the one verdict that reports show
    values: Mapping[str, bool | float]  # what the scores are summed from
    found: tuple[float, ...] | None = None  # the location in the answer, original pixels


@dataclass(frozen=True, slots=True)
class ScoredAnswer:
    """One row of ``scored.jsonl``: question, answer and outcome, enough to draw and to sum up."""

    id: str
    image: str
    prompt: str  # as asked
    answer: str  # as given
    expected: str
    meta: dict[str, str]
    marks: tuple[Mark, ...]
    hit: bool
    values: dict[str, bool | float]
    found: tuple[float, ...] | None = None
    accepted: tuple[str, ...] = ()
    mirrored: bool = False  # as the question; so are the pixels of `marks` and `found`


@dataclass(frozen=True)
class Sources:
    """The files of a task, by the names of the command line's flags."""

    files: Mapping[str, Path] = field(default_factory=dict)  # "annotations", "questions", …
    images: Path | None = None  # folder of the pictures; None: not looked at
    reader: str | None = None  # form of detection annotations; None: told from the file
    videos: Path | None = None  # folder of the clips; None: not looked at
    boxes: BoxForm | None = None  # how detection annotations write boxes; None: as their form says
    split: str | None = None  # of theirs, or "all"; None: val, else test, else all
    names: Names | None = None  # words for their categories; None: as they say themselves

    def __getitem__(self, name: str) -> Path:
        return self.files[name]

    def get(self, name: str) -> Path | None:
        return self.files.get(name)

    def media_folder(self, task: Task) -> Path | None:
        """The folder of what the task asks about."""
        return self.videos if task.card.clips else self.images

    def digests(self) -> dict[str, dict[str, str]]:
        """Name and SHA-256 of each file; of a folder its name alone."""
        return {
            name: {"file": path.name, **({"sha256": digest_file(path)} if path.is_file() else {})}
            for name, path in self.files.items()
        }


class LoadQuestions(Protocol):
    """Makes a task's questions. Raises InputError where the files cannot be used."""

    def __call__(
        self, sources: Sources, *, seed: int, options: Mapping[str, Any]
    ) -> QuestionSet: ...


class MakeQuestions(Protocol):
    """Makes a task's questions of a detection data set. Raises InputError for a bad option."""

    def __call__(
        self, annotations: AnnotationSet, *, seed: int, options: Mapping[str, Any]
    ) -> QuestionSet: ...


class Summarize(Protocol):
    """Sums the rows of a run up to named scores."""

    def __call__(self, rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]: ...


class ResampleScores(Protocol):
    """Scores of random draws from the same rows of R runs.

    Args:
        runs: (R, N).
        counts: (D, N): how often each row is in each draw.

    Returns:
        arrays (R, D), named as by `Summarize`; nan where there is no value.
    """

    def __call__(
        self, runs: Sequence[Sequence[ScoredAnswer]], counts: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]: ...


@dataclass(frozen=True)
class Task:
    """A benchmark: where its questions come from, and how the answers to them are scored."""

    name: str  # the word on the command line
    title: str  # one line for reports
    hit: str  # what an answer must be to be shown as right
    card: TaskCard
    files: Mapping[str, TaskFile]  # what it reads, by the name of the command line's flag
    headlines: Sequence[str]  # the scores that matter most
    load: LoadQuestions
    score: Callable[[Question, str, AnswerContext], Outcome]
    summarize: Summarize
    options: Mapping[str, Any] = field(default_factory=dict)  # its own, with their defaults
    earlier: Mapping[str, Any] = field(default_factory=dict)  # before an option was, if not default
    # The scores that are told of each category, too: the first has the category's questions as n
    category_scores: tuple[str, ...] = ()
    # Its questions about any detection data set, where that is all it needs
    ask_about: MakeQuestions | None = None
    # Of free answers, which a model can judge: the group of a verdict; None: this one is not free
    judge_group: Callable[[Question], str | None] | None = None
    submission: Submission | None = None  # where some of its splits are scored by a server alone
    # Where `summarize` is too slow to be called for each of a thousand draws
    resample: ResampleScores | None = None
    # The same of scores that are no means over questions, such as F1; others may be among them
    resample_others: ResampleScores | None = None


class NoQuestionsError(InputError):
    """A task can ask nothing about its files: `reason`, in words; `advice` says what to do."""

    def __init__(self, reason: str, advice: str = "use other files"):
        super().__init__(f"{reason}; {advice}")
        self.reason = reason


def digest_questions(*questions: Question) -> str:
    """Changes with any id, picture, wording, location or expected answer."""
    # Without what most questions are not, as runs of before there was mirroring know them. No text
    # can hold these bytes: its quotes are escaped.
    return digest_bytes(msgspec.json.encode(questions).replace(b',"mirrored":false', b""))[:16]


def group_by_image(questions: Iterable[Question]) -> dict[str, list[Question]]:
    """Those about one picture together, in the order in which the pictures first appear."""
    groups: dict[str, list[Question]] = {}
    for question in questions:
        groups.setdefault(question.image, []).append(question)
    return groups


def group_by_view(questions: Iterable[Question]) -> list[list[Question]]:
    """Those that can be asked together: about one picture, mirrored or not."""
    groups: dict[tuple[str, bool], list[Question]] = {}
    for question in questions:
        groups.setdefault((question.image, question.mirrored), []).append(question)
    return list(groups.values())


def group_by_meta(rows: Iterable[ScoredAnswer], key: str) -> dict[str, list[ScoredAnswer]]:
    """The rows of each group that scores are split by, groups in the order of their first row."""
    groups: dict[str, list[ScoredAnswer]] = {}
    for row in rows:
        groups.setdefault(row.meta[key], []).append(row)
    return groups


def format_box(box: Box) -> str:
    """``x1,y1,x2,y2`` in original pixels, as the command line takes it."""
    return f"{box.x1:g},{box.y1:g},{box.x2:g},{box.y2:g}"


def make_mark(label: str, box: Box) -> Mark:
    """The box of a named object."""
    return Mark(label, (box.x1, box.y1, box.x2, box.y2))
