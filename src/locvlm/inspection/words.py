"""How often a corpus of instructions has spatial words, as arXiv 2404.07449 looks at LLaVA's data.

A model cannot learn left and right from a corpus that hardly has the words. They have other senses,
too ("all right", "he left the room"), which are counted apart as far as the words around tell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from locvlm.errors import InputError
from locvlm.inspection.senses import has_other_sense, is_side
from locvlm.instructions.dataset import stream_dataset
from locvlm.progress import track
from locvlm.records.fields import Record, decode_record
from locvlm.records.splitting import iterate_records
from locvlm.records.turns import turns_of

WORDS = (
    *("left", "right", "leftmost", "rightmost"),
    *("above", "below", "over", "under", "underneath", "beneath"),
    *("top", "bottom", "upper", "lower", "on top of"),
    *("in front of", "behind", "in the foreground", "in the background"),
    *("next to", "beside", "near", "close to", "far from", "between", "among", "around"),
    *("inside", "outside", "in the middle", "in the center", "in the corner", "at the edge"),
)
OTHER = "{} (no side)"  # the row of "left" and "right" in their other senses


class RecordTexts(NamedTuple):
    """The texts of one record: about one picture, as a rule."""

    questions: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(slots=True)
class Count:
    """Of one word."""

    samples: int = 0  # that have it
    questions: int = 0  # that have it
    answers: int = 0  # that have it
    occurrences: int = 0  # in all of them


@dataclass(slots=True)
class Corpus:
    """What was read, and the counts by word."""

    words: Mapping[str, Count]
    samples: int = 0
    questions: int = 0
    answers: int = 0
    left_out: Counter[str] = field(default_factory=Counter)  # reason -> how many

    def share(self, word: str) -> float:
        """Of the samples that have the word, 0 … 1."""
        return self.words[word].samples / self.samples if self.samples else 0.0


def count_words(data: Path, words: Sequence[str] = WORDS) -> Corpus:
    """Count `words` in a corpus, read piece by piece.

    Whole words count, in capitals or not, with any white space inside; where one holds another
    ("on top of", "top"), the longer one alone.

    Args:
        data: folder of a data set that `locvlm build` wrote, or a file of conversations, JSON or
            JSON lines (see `locvlm.records.splitting`).
        words: to look for; of left and right the other senses are counted too, see `senses`.

    Raises:
        InputError: the corpus cannot be read, or a word is empty or comes twice.
    """
    chosen = _normalize_words(words)
    rows = [
        row for word in chosen for row in (word, *([OTHER.format(word)] * has_other_sense(word)))
    ]
    corpus = Corpus({row: Count() for row in rows})
    pattern = _word_pattern(chosen)
    for sample in track(_read_texts(data, corpus.left_out), "Counting"):
        questions = [_count_in(text, pattern) for text in sample.questions]
        answers = [_count_in(text, pattern) for text in sample.answers]
        corpus.samples += 1
        corpus.questions += len(questions)
        corpus.answers += len(answers)
        for word, n in sum((*questions, *answers), Counter[str]()).items():
            count = corpus.words[word]
            count.samples += 1
            count.questions += sum(word in found for found in questions)
            count.answers += sum(word in found for found in answers)
            count.occurrences += n
    corpus.left_out = +corpus.left_out
    return corpus


def _normalize_words(words: Iterable[str]) -> list[str]:
    """In small letters, each with single spaces."""
    chosen = [" ".join(word.lower().split()) for word in words]
    for place, word in enumerate(chosen):
        if not word or word in chosen[:place]:
            problem = f"{word!r} comes twice" if word else "one is empty"
            raise InputError(f"--words: {problem}; give each word once")
    if not chosen:
        raise InputError("--words: there are none; name some")
    return chosen


def _word_pattern(words: Iterable[str]) -> re.Pattern[str]:
    """Any of the words, the longest first."""
    longest = sorted(words, key=len, reverse=True)
    texts = (r"\s+".join(map(re.escape, word.split())) for word in longest)
    return re.compile(rf"(?<!\w)(?:{'|'.join(texts)})(?!\w)", re.IGNORECASE)


def _count_in(text: str, pattern: re.Pattern[str]) -> Counter[str]:
    """How often each word is in the text; by row, so those that are no side under their own."""
    found: Counter[str] = Counter()
    for match in pattern.finditer(text):
        word = " ".join(match[0].lower().split())
        found[word if is_side(text, match.span()) else OTHER.format(word)] += 1
    return found


def _read_texts(data: Path, left_out: Counter[str]) -> Iterator[RecordTexts]:
    """The texts of the corpus; what is neither question nor answer is counted in `left_out`."""
    if data.is_dir():
        for conversation in stream_dataset(data):
            items = conversation.instructions
            yield RecordTexts(tuple(i.question for i in items), tuple(i.answer for i in items))
        return
    for text, place in iterate_records(data):
        if sample := _texts_of(decode_record(text, place), left_out):
            yield sample


def _texts_of(record: Record, left_out: Counter[str]) -> RecordTexts | None:
    turns = turns_of(record, "llava" if "conversations" in record else "trl")
    texts = {role: tuple(t.text for t in turns if t.role == role) for role in ("user", "assistant")}
    sample = RecordTexts(texts["user"], texts["assistant"])
    left_out["messages that are neither question nor answer"] += len(turns) - sum(map(len, sample))
    if not any(sample):
        left_out["records without a question or an answer"] += 1
        return None
    return sample
