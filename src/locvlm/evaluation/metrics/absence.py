"""Answers that say that a thing is not there: in words, as training teaches, or by an empty list.

Asked only of answers without a location: one that has a place has found something.
"""

from __future__ import annotations

import re

# "There is no such object", "I see none", "The dog is not visible", "It doesn't appear here"
_NONE = re.compile(
    r"\b(?:no(?! (?:idea|clue|way))|none|nope|nothing|nowhere|without)\b", re.IGNORECASE
)
_NOT = re.compile(r"\b(?:not|cannot)\b|n['’]t\b", re.IGNORECASE)
_SEEN = re.compile(
    r"\b(?:in|inside|there|here|present|visible|seen?|shown?|found|find|contains?|exists?|"
    r"appears?|depict\w*|includ\w*|detect\w*|locate\w*|any)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?\n]+")
# What models that answer in JSON write where they find nothing: [], {}, null, "bbox_2d": []
_FENCE = re.compile(r"```(?:json)?|```", re.IGNORECASE)
_EMPTY = re.compile(r"\s*(?:\[\s*(?:(?:\{\s*\}|\[\s*\])\s*)?\]|\{\s*\}|null)\s*", re.IGNORECASE)
_EMPTY_KEY = re.compile(r'"(?:bbox|bboxes|bbox_2d|box|boxes|box_2d|points?|point_2d)"\s*:\s*'
                        r"(?:\[\s*(?:\[\s*\]\s*)?\]|null)", re.IGNORECASE)  # fmt: skip


def says_none(answer: str) -> bool:
    """Whether an answer without a location says that the thing is not there.

    An empty answer says nothing, and neither does one with a place that cannot be read.

    >>> [says_none(text) for text in ("There is no such object in the image", "[]", "", "A dog.")]
    [True, True, False, False]
    """
    text = _FENCE.sub(" ", answer)
    if _EMPTY.fullmatch(text) or _EMPTY_KEY.search(text):
        return True
    return any(_denies(match[0]) for match in _SENTENCE.finditer(text))


def _denies(sentence: str) -> bool:
    if _NONE.search(sentence):
        return True
    return bool(_NOT.search(sentence) and _SEEN.search(sentence))
