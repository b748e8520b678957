"""What is asked: the types that every task uses, and how several tasks make their questions.

`base` has the types. `detections` and `references` make questions of annotated objects, `rows` and
`clips` read them from official files, `presence` draws what is there and what is not,
`short_answers` asks for a word or two, and `ade20k` names the classes of a benchmark.
"""

from locvlm.evaluation.questions.base import (
    Card,
    File,
    Mark,
    Outcome,
    Question,
    QuestionSet,
    Reading,
    Scored,
    Task,
    box_text,
    by_meta,
    by_picture,
    mark,
)

__all__ = [
    "Card",
    "File",
    "Mark",
    "Outcome",
    "Question",
    "QuestionSet",
    "Reading",
    "Scored",
    "Task",
    "box_text",
    "by_meta",
    "by_picture",
    "mark",
]
