"""The protocol of Video-ChatGPT (arXiv 2306.05424): does the answer match, and how well, 0 … 5?

Its figures depend on the wording of the prompt and on the judge. The prompt here asks the same in
other words, so its figures compare with others of the same prompt and judge, not with printed ones.
It is ``prompt.txt`` beside this file, to be copied and edited for ``--judge-prompt``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from locvlm.errors import InputError
from locvlm.io.reading import read_bytes

PROMPT = Path(__file__).with_name("prompt.txt").read_text(encoding="utf-8")
PLACEHOLDERS = ("{question}", "{answer}", "{prediction}")
BEST_SCORE = 5  # of the scores

_PLACE = re.compile("|".join(map(re.escape, PLACEHOLDERS)))
_DICTIONARY = re.compile(r"\{[^{}]*\}")
# No spaces beside spaces that may be none: long runs, as JSON modes write them, take linear time
_PRED = re.compile(r"""["']pred["']\s*:\s*(?:["']\s*)?(yes|no)\b""", re.IGNORECASE)
_SCORE = re.compile(
    r"""["']score["']\s*:\s*(?:["']\s*)?(\d{1,3}(?:\.\d*)?)\s*(?:["']\s*)?[,}]""",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged."""

    question: str
    truth: str
    prediction: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says."""

    match: bool
    score: int  # 0 … 5


def render_prompt(prompt: str, case: Case) -> str:
    """The prompt with its places filled in; what stands in the case is never filled in again."""
    texts = dict(zip(PLACEHOLDERS, (case.question, case.truth, case.prediction), strict=True))
    return _PLACE.sub(lambda place: texts[place[0]], prompt)


def read_verdict(reply: str) -> Verdict | None:
    """The last dictionary with a verdict in the reply; None where there is none.

    A score with a fraction is cut to its whole number, as the protocol's script does; one above 5
    cannot be read.

    >>> read_verdict("{'pred': 'yes', 'score': 4.8}")
    Verdict(match=True, score=4)
    """
    verdicts = (_parse_verdict(text) for text in reversed(_DICTIONARY.findall(reply)))
    return next((verdict for verdict in verdicts if verdict), None)


def read_prompt(path: Path) -> str:
    """A prompt of one's own. Raises InputError unless it has each of `PLACEHOLDERS`."""
    try:
        prompt = read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8") from None
    missing = [place for place in PLACEHOLDERS if place not in prompt]
    if missing:
        raise InputError(
            f"{path}: has no {', '.join(missing)}; the judge needs {', '.join(PLACEHOLDERS)}"
        )
    return prompt


def _parse_verdict(text: str) -> Verdict | None:
    pred, score = _PRED.search(text), _SCORE.search(text)
    if pred is None or score is None or float(score[1]) > BEST_SCORE:
        return None
    return Verdict(pred[1].lower() == "yes", int(float(score[1])))
