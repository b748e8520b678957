"""Copies of data sets on the Hugging Face hub that are Parquet rows with the pictures inside.

Their columns are those of their dataset cards and of lmms-eval, which reads them. Each row is
written down in the form of the official file, so that a task reads one form alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OfficialFile:
    """A file as its publisher writes it, or several of them by what a row holds."""

    name: Callable[[Row], str]
    piece: Callable[[Row], bytes]  # what a row becomes
    begin: bytes = b""
    between: bytes = b"\n"
    end: bytes = b"\n"


@dataclass(frozen=True, slots=True)
class Rows:
    """Some of a copy's Parquet files."""

    files: str  # a pattern of their names
    columns: tuple[str, ...]
    officials: Mapping[str, OfficialFile] = field(
        default_factory=dict
    )  # by the command line's flags
    image_name: Callable[[Row], str] | None = None  # name of the file for the column "image"


@dataclass(frozen=True, slots=True)
class Copy:
    """A data set on the hub."""

    repository: str
    rows: tuple[Rows, ...]

    @property
    def has_images(self) -> bool:
        return any(rows.image_name for rows in self.rows)


def _list_file(name: str, key: str, columns: tuple[str, ...]) -> OfficialFile:
    """A JSON object with a list of the rows."""

    def piece(row: Row) -> bytes:
        return msgspec.json.encode({column: row[column] for column in columns})

    return OfficialFile(lambda row: name, piece, b'{"%s": [\n' % key.encode(), b",\n", b"\n]}\n")


def _pope_image(row: Row) -> str:
    """The copy names it without its ending."""
    return f"{row['image_source'].removesuffix('.jpg')}.jpg"


def _pope_line(row: Row) -> bytes:
    return msgspec.json.encode(
        {
            "question_id": row["question_id"],
            "image": _pope_image(row),
            "text": row["question"],
            "label": row["answer"],
        }
    )


def _gqa_entry(row: Row) -> bytes:
    fields = ("question", "answer", "imageId", "types", "isBalanced")
    entry = msgspec.json.encode({column: row[column] for column in fields})
    return msgspec.json.encode(row["id"]) + b": " + entry


def _activitynet_question(row: Row) -> bytes:
    return msgspec.json.encode(
        {
            "question_id": str(row["question_id"]),
            "video_name": row["video_name"],
            "question": row["question"],
        }
    )


def _activitynet_answer(row: Row) -> bytes:
    return msgspec.json.encode(
        {
            "question_id": str(row["question_id"]),
            "answer": row["answer"],
            "type": int(row["type"]),
        }
    )


COPIES: Mapping[str, Copy] = {
    "pope": Copy(
        "lmms-lab/POPE",
        (
            Rows(
                "data/test-*.parquet",
                ("question_id", "question", "answer", "image_source", "image", "category"),
                {"questions": OfficialFile("coco_pope_{category}.json".format_map, _pope_line)},
                _pope_image,
            ),
        ),
    ),
    "gqa": Copy(
        "lmms-lab/GQA",
        (
            Rows(
                "testdev_balanced_instructions/testdev-*.parquet",
                ("id", "imageId", "question", "answer", "isBalanced", "types"),
                {
                    "questions": OfficialFile(
                        lambda row: "testdev_balanced_questions.json",
                        _gqa_entry,
                        b"{\n",
                        b",\n",
                        b"\n}\n",
                    )
                },
            ),
            Rows(
                "testdev_balanced_images/testdev-*.parquet",
                ("id", "image"),
                image_name="{id}.jpg".format_map,
            ),
        ),
    ),
    "vqav2": Copy(
        "lmms-lab/VQAv2",
        (
            Rows(
                "data/validation-*.parquet",
                (
                    *("question_id", "image_id", "question", "image", "answers"),
                    *("question_type", "answer_type", "multiple_choice_answer"),
                ),
                {
                    "questions": _list_file(
                        "v2_OpenEnded_mscoco_val2014_questions.json",
                        "questions",
                        ("question_id", "image_id", "question"),
                    ),
                    "annotations": _list_file(
                        "v2_mscoco_val2014_annotations.json",
                        "annotations",
                        (
                            *("question_id", "question_type", "answer_type"),
                            *("multiple_choice_answer", "answers"),
                        ),
                    ),
                },
                "COCO_val2014_{image_id:012}.jpg".format_map,
            ),
        ),
    ),
    "activitynet-qa": Copy(
        "lmms-lab/ActivityNetQA",
        (
            Rows(
                "data/test-*.parquet",
                ("question_id", "video_name", "question", "answer", "type"),
                {
                    "questions": OfficialFile(
                        lambda row: "test_q.json", _activitynet_question, b"[\n", b",\n", b"\n]\n"
                    ),
                    "annotations": OfficialFile(
                        lambda row: "test_a.json", _activitynet_answer, b"[\n", b",\n", b"\n]\n"
                    ),
                },
            ),
        ),
    ),
}
