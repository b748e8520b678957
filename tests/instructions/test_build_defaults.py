"""Without new options a build gives the rows that it always gave."""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.geometry import Box, coords_of
from locvlm.instructions.build import QuestionOptions, build
from locvlm.instructions.filters import ObjectLimits

CATEGORIES = tuple(f"thing {number}" for number in range(30))
PAPER = ("locpred", "negpred", "revloc")
OTHERS = ("caption", "category", "multiple", "presence", "spatial")
FIRST = ("caption", "category", "locpred", "negpred", "presence", "revloc", "spatial")
OF_BOTH = {"location": "both", "seed": 7, "limits": ObjectLimits(min_area=0.01)}


def pictures() -> AnnotationSet:
    """Fifty pictures of up to ten objects, the same on every run."""
    chance = random.Random("pictures")
    images = []
    for number in range(50):
        objects = []
        for _ in range(chance.randrange(11)):
            x, y = chance.randrange(500), chance.randrange(400)
            box = Box(x, y, x + chance.randrange(1, 140), y + chance.randrange(1, 80))
            crowd = chance.random() < 0.1
            objects.append(Object(chance.choice(CATEGORIES[:15]), box, crowd, number))
        said = (f"Picture {number}.", "Some things.")
        images.append(AnnotatedImage(number, f"{number}.jpg", 640, 480, tuple(objects), said))
    return AnnotationSet(images, CATEGORIES, Path("instances.json"))


def digest(objectives: tuple[str, ...], **options: Any) -> str:
    rows = [
        [row.image, row.width, row.height, row.source]
        + [
            [item.objective, item.question, item.answer, item.kind]
            + [[coords_of(place) for place in some] for some in (item.locations, item.evidence)]
            for item in row.instructions
        ]
        for row in build(pictures(), QuestionOptions(objectives, **options)).conversations
    ]
    assert rows
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("objectives", "options", "expected"),
    [
        (PAPER, {}, "aa26952f8a90759f"),
        (OTHERS, OF_BOTH, "cef1d144ddbaef3a"),
        (FIRST, OF_BOTH, "acce0a52986630ac"),
    ],
)
def test_rows_of_old(objectives: tuple[str, ...], options: dict[str, Any], expected: str) -> None:
    assert digest(objectives, **options) == expected
