"""Questions about clips in the files that people pass around, whatever form they have.

MSVD-QA, MSRVTT-QA, TGIF-QA and ActivityNet-QA are there as their publishers gave them, as the pair
test_q.json and test_a.json that Video-ChatGPT made of each, and as tables of others:

    {"id": 1, "video_id": 7010, "question": "what is it?", "answer": "dog"}      in a JSON list
    {"question_id": "v_1", "video": "video7010.mp4", "question": …}              JSON lines
    video_id,question,answer,type                                                CSV, or with tabs
    {"1": {"question": …}} or {"questions": [{"question": …}]}                  JSON
    a list of such dicts                                                         pickle, as data

The answers may be in a file of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from locvlm.errors import InputError
from locvlm.evaluation.task import Sources
from locvlm.io.json_rows import json_rows
from locvlm.io.plain_pickle import read_plain_pickle
from locvlm.io.reading import csv_rows, quote, read_bytes, text_lines
from locvlm.media.clips import ANIMATION_SUFFIXES, is_clip

# By what each field is called; the first one that a row has counts
NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("question_id", "id", "qid", "questionId", "vid_id"),  # the last is TGIF-QA's
    "clip": ("video_id", "video_name", "video", "gif_name", "clip", "video_path", "vid"),
    "question": ("question", "q", "Q"),
    "answer": ("answer", "a", "A"),
    "type": ("type", "question_type", "answer_type"),
}
_TABLES = frozenset({".csv", ".tsv", ".txt"})
_PICKLES = frozenset({".p", ".pickle", ".pkl"})


@dataclass(frozen=True)
class ClipQuestion:
    """A row with its fields by the names of `NAMES`, and the others by their own."""

    path: Path
    place: str  # in the file: "[3]" or "line 7"
    fields: Mapping[str, Any]
    own: Mapping[str, str]  # what each field of `NAMES` is called in the file

    def where(self, field: str) -> str:
        """Its place in the file, without the file: ``[3].question_id``."""
        name = self.own.get(field, NAMES[field][0])
        return f"{self.place}.{name}" if self.place[0] == "[" else f"{self.place}: {name}"

    def text(self, field: str, what: str) -> str:
        """Text that is not empty; numbers count as such.

        Raises:
            InputError: it is none, as of rows that are not `what` they should be.
        """
        if field not in self.fields:
            self.refuse(what, f"no required field `{self.own.get(field, NAMES[field][0])}`")
        value = self.fields[field]
        if field == "answer" and isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            self.refuse(what, f"expected text, not {quote(value, 30)}", field)
        text = f"{value:g}" if isinstance(value, float) else str(value)
        if not text.strip():
            self.refuse(what, "expected text of length >= 1", field)
        return text

    def refuse(self, what: str, reason: str, field: str = "", advice: str = "") -> NoReturn:
        """Raises InputError: the row is not of the form."""
        place = self.place
        if place[0] == "[":
            place = f"`${place}.{self.own.get(field, field)}`" if field else f"`${place}`"
        advice = f"; {advice}" if advice else ""
        raise InputError(f"{self.path}: not a list of {what}: {reason} - at {place}{advice}")


def read_clip_rows(path: Path) -> list[ClipQuestion]:
    """The rows of a file, in any of the forms.

    Raises InputError where it cannot be read, or is none of them.
    """
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        rows = _pickled(path)
    elif suffix in _TABLES:
        rows = _tabled(path)
    else:
        if read_bytes(path).lstrip()[:1] not in (b"[", b"{", b"\xef", b""):
            raise InputError(f"{path}: not a list of questions; give JSON, CSV or a pickle")
        whole = _read_wrapped(path)
        rows = (
            (p.removeprefix(f"{path}: "), r) for p, r in json_rows(path, dict[str, Any], "rows")
        )
        rows = rows if whole is None else _rows_of(path, whole)
    return [_clip_row(path, place, row) for place, row in rows]


def read_answers(sources: Sources, what: str) -> dict[str, ClipQuestion] | None:
    """The rows of the file of answers by their ids; None where there is no such file.

    Raises InputError where one has no id or no answer, or is the second to a question.
    """
    path = sources.get("annotations")
    if path is None:
        return None
    found: dict[str, ClipQuestion] = {}
    for row in read_clip_rows(path):
        number = row.text("id", what)
        row.text("answer", what)
        if number in found:
            place = f"{path}: {row.where('id')}"
            raise InputError(f"{place}: a second answer to {number!r}; remove one")
        found[number] = row
    return found


def find_answer(
    row: ClipQuestion, number: str, answers: Mapping[str, ClipQuestion] | None, sources: Sources
) -> ClipQuestion:
    """The row with the answer: the question's own, where there is no file of answers.

    Raises InputError where there is none.
    """
    if answers is None:
        if "answer" not in row.fields:
            row.refuse(
                "questions with their answers",
                "no required field `answer`",
                advice="give the file of the answers, such as test_a.json, as --annotations",
            )
        return row
    if number not in answers:
        raise InputError(
            f"{row.path}: {row.where('id')}: {number!r} has no answer in "
            f"{sources['annotations']}; give the two files of one split"
        )
    return answers[number]


def clip_names(clip: str, prefix: str, suffix: str, bare: Collection[int] = ()) -> list[str]:
    """The names that the file of a clip may have, the likeliest first.

    >>> clip_names("7010", "video", ".mp4")
    ['video7010.mp4', '7010.mp4']
    >>> clip_names("video7010.webm", "video", ".mp4")
    ['video7010.webm', '7010.webm', 'videovideo7010.webm']

    Args:
        clip: as the row says it, with or without the prefix and an ending.
        prefix: that the publisher puts before a clip's number or id.
        suffix: ending of the publisher's files.
        bare: lengths of ids that may begin with the prefix themselves.
    """
    named = is_clip(clip) or Path(clip).suffix.lower() in ANIMATION_SUFFIXES
    stem, _, ending = clip.rpartition(".") if named else (clip, "", suffix[1:])
    folder, slash, stem = stem.rpartition("/")
    if stem.startswith(prefix) and len(stem) not in bare:
        stems = [stem, stem.removeprefix(prefix), prefix + stem]
    elif stem.isdecimal() or prefix.endswith("_"):
        stems = [prefix + stem, stem]
    else:  # an id of the site that it comes from
        stems = [stem, prefix + stem]
    places = (f"{folder}/", "") if slash else ("",)  # as it is on the publisher's disk, or not
    return [f"{place}{name}.{ending}" for place in places for name in stems if name]


def _clip_row(path: Path, place: str, row: Mapping[str, Any]) -> ClipQuestion:
    own: dict[str, str] = {}
    for field, names in NAMES.items():
        name = next((name for name in names if row.get(name) is not None), None)
        if name is not None:
            own[field] = name
    if "vid_id" in row and "clip" not in own:  # elsewhere it is the clip
        own["clip"] = "vid_id"
        if own.get("id") == "vid_id":
            del own["id"]
    fields = dict(row) | {field: row[name] for field, name in own.items()}
    return ClipQuestion(path, place, {k: v for k, v in fields.items() if v is not None}, own)


def _tabled(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of a CSV file, or one with tabs between its columns; of a list of names no row."""
    first = next(text_lines(path), "")
    delimiter = "\t" if "\t" in first else ","
    columns = [name.strip().strip('"') for name in first.split(delimiter)]
    if set(columns).isdisjoint((*NAMES["question"], *NAMES["answer"])):
        raise InputError(
            f"{path}: has no column question or answer; the first line names the columns, with "
            "tabs or commas between them"
        )
    for place, row in csv_rows(path, (), delimiter=delimiter):
        yield place.removeprefix(f"{path}: "), row


def _pickled(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of a pickle as data; nothing is run."""
    return _rows_of(path, read_plain_pickle(path))


def _read_wrapped(path: Path) -> dict[str, Any] | None:
    """A JSON object that holds the rows; None: there is a list, or an object a line."""
    data = read_bytes(path).removeprefix(b"\xef\xbb\xbf")
    if data.lstrip()[:1] != b"{":
        return None
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    held = value.values()
    return value if held and any(isinstance(one, (dict, list)) for one in held) else None


def _rows_of(path: Path, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of a list of dicts, a dict of them by their ids or that holds the list, or one of columns."""
    if isinstance(value, dict):
        value = _unwrap(value)
    if not isinstance(value, list):
        raise InputError(f"{path}: not a list of questions; give a list of dicts, in JSON or so")
    for number, row in enumerate(value):
        if not isinstance(row, dict):
            raise InputError(f"{path}: [{number}]: not a row of questions; give a list of dicts")
        yield f"[{number}]", {str(key): item for key, item in row.items()}


def _unwrap(value: dict[Any, Any]) -> Any:
    items = list(value.values())
    if items and all(isinstance(item, list) for item in items) and not _holds_dicts(items):
        return [dict(zip(value, row, strict=False)) for row in zip(*items, strict=False)]
    if items and all(isinstance(item, dict) for item in items):
        return [{"question_id": key, **item} for key, item in value.items()]
    held = [item for item in items if isinstance(item, list) and _holds_dicts([item])]
    return held[0] if len(held) == 1 else value


def _holds_dicts(lists: list[list[Any]]) -> bool:
    return any(isinstance(item, dict) for one in lists for item in one[:1])
