"""Whether a "left" or "right" names a side or a direction, as far as the words around it tell.

Rules of a few words each, not a parser: what none of them knows is taken for a side.
"""

from __future__ import annotations

import re

_BEFORE, _AFTER = 40, 30  # characters around the word that are looked at

_BODY = "arm|breast|cheek|ear|elbow|eye|foot|hand|hip|knee|leg|paw|shoulder|side|thumb|turn|wing"
# What makes of the word after it a side, whatever follows: "on the left behind the tree"
_SIDE_PHRASE = (
    r"(?:the|his|her|its|their|my|your|our|to|on|far|upper|lower|top|bottom|back|front|left|right"
    r"|and|or|fac(?:e|es|ed|ing)|turn(?:s|ed|ing)?|point(?:s|ed|ing)?|head(?:s|ed|ing)?|leftmost"
    r"|towards?|most|immediate|directly)[ -]<>"
)
_AUXILIARY = r"(?:have|has|had|having|\w+'(?:ve|d))(?: (?:also|already|been|just|never|not|\w+ly))*"
_PEOPLE = "i|you|he|she|they|we|who|everyone|somebody|someone|people"
_AMOUNT = (
    r"nothing|anything|something|everything|none|one|lot"
    r"|(?:much|more|little|few|some|any|no)(?: \w+)?"
)
_BE = "is|are|was|were|be|been|being|gets?|got|getting"
_LEAVING = r"out|open|alone|over|behind|unattended|un\w+ed|empty|blank|for|from|after|without"

# `<>` stands for the word. The first of each always holds, the second where it is not `_PLACED`.
_OTHER_SENSE = {
    "left": (
        rf"<>-hand(?:ed|er)|\b{_AUXILIARY} <>(?! (?:of|{_BODY})\b)"
        rf"|\b(?:{_PEOPLE}) <>(?! (?:of|or|{_BODY})\b)"
        rf"|\b(?:{_AMOUNT}) <>(?! (?:of|and|or|{_BODY})\b)",
        rf"\b(?:{_BE}) <> (?:in|on|at|by|here|there|to (?!the\b|right\b)|{_LEAVING})\b"
        rf"|\w <> (?:{_LEAVING}|home|town|early|him|them|us|me|it|an?|the|some|no)\b",
    ),
    "right": (
        r"<>-hand(?:ed|er)|<> (?:now|away)\b|, <> ?\?"
        r"|\b(?:all|that's|that is|you're|you are|quite|exactly) <>(?! (?:of|side)\b)"
        r"|<> (?:angles?|triangles?|amount|answers?|choices?|conditions?|decisions?|equipment|gear"
        r"|moment|people|person|places?|size|thing|times?|tools?|way|words?)\b"
        r"|\b(?:a|the|no|his|her|their|your|our|human|civil|equal|legal) <> to (?!the\b|left\b)",
        r"<> (?:above|across|after|against|along|around|as|at|back|before|behind|below|beneath"
        r"|beside|between|by|down|here|in|inside|into|near|next|off|on|onto|out|outside|over|past"
        r"|there|through|under|underneath|up|when|where)\b",
    ),
}
_RULES = {
    word: (re.compile(always), re.compile(unplaced))
    for word, (always, unplaced) in _OTHER_SENSE.items()
}
_IS_SIDE_PHRASE = re.compile(rf"\b{_SIDE_PHRASE}")


def has_other_sense(word: str) -> bool:
    """Whether the word may name a side and may not."""
    return word in _RULES


def is_side(text: str, span: tuple[int, int]) -> bool:
    """Whether the word at `span` of the text is meant as it is counted: True of all other words.

    >>> is_side("Turn left.", (5, 9)), is_side("They left.", (5, 9))
    (True, False)
    """
    start, end = span
    rules = _RULES.get(text[start:end].lower())
    if rules is None:
        return True
    before = text[max(0, start - _BEFORE) : start]
    around = " ".join(f"{before}<>{text[end : end + _AFTER]}".lower().split())
    always, unplaced = rules
    if always.search(around):
        return False
    return bool(_IS_SIDE_PHRASE.search(around)) or not unplaced.search(around)
