"""TGIF-QA (arXiv 1704.04497, and IJCV 2019): questions about animated GIFs, four kinds of them.

Each kind has a file and a score of its own, and which one it is shows in the file: FrameQA has a
free answer, action and transition have five choices, count has a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from locvlm.errors import InputError
from locvlm.evaluation.intervals import Score, rate, scaled_mean
from locvlm.evaluation.metrics import exact_match
from locvlm.evaluation.questions import clips
from locvlm.evaluation.questions.clip_rows import (
    clip_names,
    find_answer,
    read_answers,
    read_clip_rows,
)
from locvlm.evaluation.task import (
    AnswerContext,
    Outcome,
    Question,
    QuestionSet,
    ScoredAnswer,
    Sources,
    Task,
    TaskCard,
    TaskFile,
)
from locvlm.io.reading import csv_rows, parse_integer, quote, text_lines

NAME = "tgif-qa"

COLUMNS = ("gif_name", "question", "answer", "vid_id")
CHOICES = ("a1", "a2", "a3", "a4", "a5")
TYPES = ("object", "number", "color", "location")  # of FrameQA, by their official numbers
UNKNOWN = "not given"  # type of FrameQA where a row has none
MAX_COUNT = 10  # times; more count as that many
_QUESTIONS = "questions with gif_name, question, answer, vid_id"
_ANSWERS = "answers with question_id and answer, such as test_a.json"
_LETTERS = "abcde"
_LETTER = re.compile(r"\(?([a-e])(?:[).:]|$)")
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {word: number for number, word in enumerate(_WORDS)} | {"once": 1, "twice": 2}
_NUMBER = re.compile(rf"\d+(?:\.\d+)?|\b(?:{'|'.join(_NUMBERS)})\b")


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """All questions of the file; the clip of ``gif_name`` X is ``X.gif``, the id is ``vid_id``.

    Other forms are in `clip_rows`; free answers without a type count as FrameQA.

    Raises:
        InputError: it is none of the four files, a row is not as the official ones, an id comes
            twice, or there is no clip.
    """
    return clips.question_set(sources, _questions(sources))


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """By the kind of the question."""
    kind = question.meta["kind"]
    if kind == "frameqa":
        return exact_match.score(question, answer, context)
    if kind == "choice":
        chosen = read_choice(answer, question.choices)
        return Outcome(chosen == question.expected, {"read": chosen is not None})
    number = read_count(answer)
    if number is None:
        return Outcome(False, {"read": False})
    error = (number - int(question.expected)) ** 2
    return Outcome(error == 0, {"read": True, "squared error": float(error)})


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Accuracy; of counts the mean squared error too; of FrameQA also by type."""
    kind = rows[0].meta["kind"] if rows else "frameqa"
    if kind == "frameqa":
        return exact_match.summarize(rows, TYPES)
    scores = {
        "accuracy": rate(row.hit for row in rows),
        "parse rate": rate(bool(row.values["read"]) for row in rows),
    }
    if kind == "count":
        errors = [row.values["squared error"] for row in rows if row.values["read"]]
        scores["mean squared error"] = scaled_mean(errors, (MAX_COUNT - 1) ** 2, seed=seed)
    return scores


def judge_group(question: Question) -> str | None:
    """FrameQA's answers are free; the others are not."""
    return question.meta["type"] if question.meta["kind"] == "frameqa" else None


TASK = Task(
    name=NAME,
    title="Questions about clips: TGIF-QA",
    hit=f"FrameQA: {exact_match.HIT}; action and transition: the right choice; count: the number",
    card=TaskCard(
        kind="video VQA",
        size="13,691 FrameQA, 2,274 action, 6,232 transition, 3,554 count (test)",
        license="academic use",
        source="https://github.com/YunseokJANG/tgif-qa",
        clips=True,
    ),
    files={
        "questions": TaskFile("one of TGIF-QA's files, such as Test_frameqa_question.csv"),
        "annotations": TaskFile("test_a.json, beside a test_q.json", needed=False),
    },
    headlines=exact_match.HEADLINES,
    load=load,
    score=score,
    summarize=summarize,
    judge_group=judge_group,
)


def read_choice(answer: str, choices: Sequence[str]) -> str | None:
    """The choice that is answered: its words, its letter from A, or its official number from 0.

    >>> read_choice("B. nod head", ["step", "nod head"]), read_choice("1", ["step", "nod head"])
    ('nod head', 'nod head')
    """
    response = exact_match.tidy(answer)
    for text in choices:
        if response == exact_match.tidy(text):
            return text
    letter = _LETTER.match(response)
    place = (
        _LETTERS.index(letter[1]) if letter else int(response) if response in {*"01234"} else None
    )
    return choices[place] if place is not None and place < len(choices) else None


def read_count(answer: str) -> int | None:
    """The first number, in digits or as a word up to ten, rounded half to even, within 1 … 10.

    So does the official scorer with what its model gives.
    """
    found = _NUMBER.search(answer.lower())
    if found is None:
        return None
    number = _NUMBERS.get(found[0])
    return round(min(max(float(found[0]) if number is None else number, 1), MAX_COUNT))


def _questions(sources: Sources) -> Iterator[tuple[str, Question]]:
    path = sources["questions"]
    if path.suffix.lower() in (".csv", ".tsv", ".txt") and "annotations" not in sources.files:
        header = next(text_lines(path), "")
        delimiter = "," if "\t" not in header and "," in header else "\t"
        for place, row in csv_rows(path, COLUMNS, delimiter=delimiter):
            yield place.removeprefix(f"{path}: "), _question(row, place)
        return
    answers = read_answers(sources, _ANSWERS)
    for number, item in enumerate(read_clip_rows(path)):
        asked = item.text("question", _QUESTIONS)
        id = item.text("id", _QUESTIONS) if "id" in item.fields else str(number)
        clip = item.text("clip", _QUESTIONS)
        answer = find_answer(item, id, answers, sources)
        fields = {**item.fields, **answer.fields}
        row = {key: str(value) for key, value in fields.items()}
        row |= {"question": asked, "vid_id": id, "gif_name": clip}
        row |= {"answer": answer.text("answer", _ANSWERS)}
        yield item.where("id"), _question(row, f"{path}: {item.place}")


def _question(row: Mapping[str, str], place: str) -> Question:
    if not row["answer"] or not row["question"]:
        raise InputError(f"{place}: has no question or no answer; get the file again")
    if "a1" in row:
        return _choice_question(row, place)
    if "type" in row:
        named = row["type"].strip().lower() in TYPES
        kind = row["type"].strip().lower()
        if not named:
            kind = TYPES[_number(row["type"], len(TYPES) - 1, f"{place}: type")]
        return _clip_question(row, row["question"], row["answer"], kind="frameqa", type=kind)
    if not row["answer"].strip().lstrip("-").replace(".", "", 1).isdecimal():
        return _clip_question(row, row["question"], row["answer"], kind="frameqa", type=UNKNOWN)
    number = _number(row["answer"], MAX_COUNT, f"{place}: answer")
    return _clip_question(row, row["question"], str(number), kind="count")


def _choice_question(row: Mapping[str, str], place: str) -> Question:
    missing = [name for name in CHOICES if name not in row]
    if missing:
        raise InputError(f"{place}: has no column {', '.join(missing)}; get the file again")
    choices = tuple(row[name] for name in CHOICES)
    right = choices[_number(row["answer"], len(choices) - 1, f"{place}: answer")]
    lettered = zip(_LETTERS.upper(), choices, strict=True)
    listed = "".join(f"\n{letter}. {text}" for letter, text in lettered)
    return _clip_question(row, row["question"] + listed, right, choices, kind="choice")


def _clip_question(
    row: Mapping[str, str], asked: str, answer: str, choices: tuple[str, ...] = (), **meta: str
) -> Question:
    clip = clip_names(row["gif_name"], "", ".gif")[0]
    return clips.make_question(NAME, row["vid_id"], clip, asked, answer, choices, **meta)


def _number(text: str, most: int, where: str) -> int:
    number = parse_integer(text, where)
    if not 0 <= number <= most:
        raise InputError(f"{where}: {quote(text)} is not between 0 and {most}; get the file again")
    return number
