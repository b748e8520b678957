"""The dialects held against the parsers of roboflow/supervision, on thousands of random boxes.

`pytest -s` prints a row for every comparison: the table of docs/data/coordinates.md.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from locvlm import coordinates
from locvlm.coordinates.dialect import Dialect
from locvlm.geometry import Box, Size, coords_of

vlm = pytest.importorskip("supervision.detection.vlm")

TEXTS = 2_500
IN_A_TEXT = 4

Parser = Callable[[str, Size, Dialect], Any]


def labelled(text: str, label: str) -> str:
    return json.dumps({**json.loads(text), "label": label})


def as_json(texts: list[str]) -> str:
    return "```json\n[" + ",\n".join(labelled(text, "dog") for text in texts) + "]\n```"


def with_refs(texts: list[str]) -> str:
    return "".join(f"<|ref|>dog<|/ref|>{text}" for text in texts)


def qwen25(text: str, size: Size, dialect: Dialect) -> Any:
    return vlm.from_qwen_2_5_vl(text, dialect.frame(size).model, size)[0]


# Name, how its texts make up an answer, supervision's parser, its name.
PARSERS: list[tuple[str, Callable[[list[str]], str], Parser, str]] = [
    ("qwen2.5-vl", as_json, qwen25, "from_qwen_2_5_vl"),
    ("qwen3-vl", as_json, lambda t, s, _: vlm.from_qwen_3_vl(t, s)[0], "from_qwen_3_vl"),
    ("gemini", as_json, lambda t, s, _: vlm.from_google_gemini_2_0(t, s)[0], "…gemini_2_0"),
    ("gemini", as_json, lambda t, s, _: vlm.from_google_gemini_2_5(t, s)[0], "…gemini_2_5"),
    ("deepseek-vl2", with_refs, lambda t, s, _: vlm.from_deepseek_vl_2(t, s)[0], "…deepseek_vl_2"),
]


def boxes(rng: np.random.Generator, count: int) -> tuple[Size, list[Box]]:
    width, height = (int(v) for v in rng.integers(30, 4001, size=2))
    corners = np.sort(rng.random((count, 2, 2)) * (width, height), axis=1)
    return (width, height), [Box(*c.ravel()) for c in corners]


def row(*cells: object) -> None:
    print("\n|", " | ".join(f"{c:,}" if isinstance(c, int) else str(c) for c in cells), "|")


def dialect(name: str) -> Dialect:
    found = coordinates.get(name)
    assert isinstance(found, Dialect)
    return found


@pytest.mark.parametrize(
    ("name", "answer", "parser", "whom"), PARSERS, ids=[f"{p[0]}-{p[3]}" for p in PARSERS]
)
def test_the_same_text_is_the_same_boxes(
    name: str, answer: Callable[[list[str]], str], parser: Parser, whom: str
) -> None:
    ours = dialect(name)
    rng = np.random.default_rng(7)
    wrong = 0
    for _ in range(TEXTS):
        size, some = boxes(rng, IN_A_TEXT)
        frame = ours.frame(size)
        text = answer([ours.encode(box, frame) for box in some])
        theirs = parser(text, size, ours)
        found = [coords_of(box) for box in ours.parse(text, frame)]
        assert np.shape(found) == theirs.shape == (IN_A_TEXT, 4)
        wrong += int((~np.isclose(found, theirs, rtol=1e-6).all(axis=1)).sum())
    row(name, "parse", f"supervision, {whom}", TEXTS * IN_A_TEXT, wrong)
    assert wrong == 0


def test_paligemma_differs_by_1024_to_1023() -> None:
    """Supervision reads n / 1024; the model was trained and scored on n / 1023."""
    ours = dialect("paligemma")
    rng = np.random.default_rng(8)
    wrong = 0
    for _ in range(TEXTS):
        size, some = boxes(rng, IN_A_TEXT)
        text = " ; ".join(f"{ours.encode(box, size)} dog" for box in some)
        theirs = vlm.from_paligemma(text, size)[0]
        found = [coords_of(box) for box in ours.parse(text, size)]
        wrong += int((~np.isclose(found, theirs * 1024 / 1023).all(axis=1)).sum())
    row("paligemma", "parse", "supervision, from_paligemma × 1024 / 1023", TEXTS * IN_A_TEXT, wrong)
    assert wrong == 0


def test_florence_2_differs_by_half_a_bin() -> None:
    """Supervision reads the lower edge of a bin in this task, Florence-2 itself the middle."""
    ours = dialect("florence-2")
    rng = np.random.default_rng(9)
    wrong = 0
    for _ in range(TEXTS):
        size, (box,) = boxes(rng, 1)
        text = "dog" + ours.encode(box, size)
        theirs = vlm.from_florence_2({"<REGION_TO_CATEGORY>": text}, size)[0][0]
        (found,) = ours.parse(text, size)
        half = np.array(size * 2) / 2000
        wrong += not np.allclose(coords_of(found), theirs + half, rtol=1e-6)
    row("florence-2", "parse", "supervision, from_florence_2 + half a bin", TEXTS, wrong)
    assert wrong == 0
