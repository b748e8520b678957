"""What of a model's words is its answer: thoughts before it are none, and name other places."""

from __future__ import annotations

import re

_WORDS = "think|thinking|thought|thoughts|reason|reasoning|reflection|scratchpad"
_MARKS = (  # of a thought: its beginning, its end
    (rf"<(?:{_WORDS})>", rf"</(?:{_WORDS})>"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    (r"◁think▷", r"◁/think▷"),
    (r"\[THINK\]", r"\[/THINK\]"),
    (r"<seed:think>", r"</seed:think>"),
    (r"<\|channel>thought", r"<channel\|>"),
)
_THOUGHTS = [  # a chat template may have written the beginning; a cut one has no end
    (re.compile(start, re.IGNORECASE), re.compile(end, re.IGNORECASE)) for start, end in _MARKS
]
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)\s*(?:<\|message\|>)?")
_CHANNEL_END = re.compile(r"<\|(?:end|return|start)\|>.*", re.DOTALL)
_ANSWER = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.DOTALL | re.IGNORECASE)


def find_answer(text: str) -> str:
    """The answer in what a model said: what follows its thoughts, within ``<answer>`` if so marked.

    Empty where there is a thought alone, because the tokens ended in it. A text without such marks
    comes back as it is.

    >>> find_answer("<think>Not [1, 2, 3, 4].</think><answer>[5, 6, 7, 8]</answer>")
    '[5, 6, 7, 8]'
    """
    channels = list(_CHANNEL.finditer(text))
    if channels:
        if channels[-1][1].lower() != "final":
            return ""
        text = _CHANNEL_END.sub("", text[channels[-1].end() :])
    for start, end in _THOUGHTS:
        ends = list(end.finditer(text))
        if ends:
            # what stands before the first thought is answer, if no end without a beginning follows
            begun = start.search(text)
            before = text[: begun.start()] if begun and begun.start() < ends[0].start() else ""
            text = before + text[ends[-1].end() :] if before.strip() else text[ends[-1].end() :]
        if begun := start.search(text):
            text = text[: begun.start()]
    answers = _ANSWER.findall(text)
    return answers[-1] if answers else text
