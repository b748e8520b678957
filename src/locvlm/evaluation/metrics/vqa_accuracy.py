"""The official VQA accuracy, of answers that ten people gave too (arXiv 1505.00468).

The rules are those of `PythonEvaluationTools/vqaEvaluation/vqaEval.py` in the repository
GT-Vision-Lab/VQA as it stands at commit a013f00, its oddities included: figures are compared with
those that others got from it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_MARKS = frozenset(';/[]"{}()=+\\_-><@`,?!')
_DIGITS_COMMA = re.compile(r"\d,\d")
_PERIOD = re.compile(r"\.(?!\d)")
_PERIODS = 32  # the official code takes out no more: it hands a flag over as the count
_ARTICLES = frozenset({"a", "an", "the"})
_WORDS = "zero one two three four five six seven eight nine ten"
_NUMBERS = {"none": "0"} | {word: str(number) for number, word in enumerate(_WORDS.split())}
_CONTRACTIONS = """
    ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't
    haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've
    might've mustn't must've needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've
    shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll
    someone's something'd something'd've something'll that's there'd there'd've there're there's
    they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're
    what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're
    why's won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're
    you've
"""


def count_agreeing(answer: str, truths: Sequence[str], *, always: bool = False) -> int:
    """How many of the `truths` are the `answer`.

    All are normalized where the truths differ, and only there: where all agree, as they do about
    a text that can be read in the picture, every character counts. With `always` they are
    normalized in any case, as evaluation suites for chat models have it (lmms-eval).
    """
    answer, truths = _plain(answer), [_plain(truth) for truth in truths]
    if always or len(set(truths)) > 1:
        answer, truths = normalize(answer), [normalize(truth) for truth in truths]
    return truths.count(answer)


def accuracy(agreeing: int, n: int) -> float:
    """What an answer is worth that `agreeing` of `n` people gave.

    Each person in turn is left out, and the answer is worth a third for each of the others that
    gave it, 1 at most; then the mean is taken. Of ten people, 1 is worth 0.3, 2 are worth 0.6, 3
    are worth 0.9 and 4 or more are worth 1.

    >>> [accuracy(agreeing, 10) for agreeing in range(6)]
    [0.0, 0.3, 0.6, 0.9, 1.0, 1.0]
    """
    thirds = agreeing * min(agreeing - 1, 3) + (n - agreeing) * min(agreeing, 3)
    return thirds / (3 * n)


@lru_cache(maxsize=1 << 16)  # the answers of a data set are few and come again and again
def normalize(text: str) -> str:
    """Lower case, without most punctuation and articles; small numbers as digits.

    >>> normalize("The two-year-old dont.")
    "2 year old don't"
    """
    words = [_NUMBERS.get(word, word) for word in _remove_marks(text).lower().split()]
    return " ".join(_APOSTROPHES.get(word, word) for word in words if word not in _ARTICLES)


def _plain(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def _remove_marks(text: str) -> str:
    """A mark goes where it stands beside a space anywhere, else becomes one.

    A comma between digits makes all marks go. Periods go unless a digit follows.
    """
    all_go = _DIGITS_COMMA.search(text) is not None
    bare = text
    for mark in _MARKS.intersection(text):
        goes = all_go or f"{mark} " in text or f" {mark}" in text
        bare = bare.replace(mark, "" if goes else " ")
    return _PERIOD.sub("", bare, count=_PERIODS)


def _lacking_one(word: str) -> list[str]:
    """The word without one of its apostrophes."""
    return [word[:place] + word[place + 1 :] for place, sign in enumerate(word) if sign == "'"]


_APOSTROPHES = {short: word for word in _CONTRACTIONS.split() for short in _lacking_one(word)}
_APOSTROPHES["somebody'd"] = "somebodyd"  # the wrong way round, as the official table has it
