"""What is asked: the types that every task uses, and how several tasks make their questions.

`base` has the types. `detections` and `references` make questions of annotated objects, `clips` of
videos; `presence` draws what is there and what is not, and `short_answers` asks for a word or two.
`texts`, `coco_photos` and `ade20k` have words, names of files and classes of official data.
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
