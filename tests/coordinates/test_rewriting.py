"""Locations put where others stood: what is around them stays as it was."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm import coordinates
from locvlm.coordinates.rewriting import apply, place_of, rewrite, stands_bare
from locvlm.geometry import Box, Location, Point

SIZE = (1000, 500)
JSON_DIALECTS = ["qwen2.5-vl", "qwen3-vl", "gemini"]
NATIVE = {"qwen2.5-vl": "bbox_2d", "qwen3-vl": "bbox_2d", "gemini": "box_2d"}


def rewritten(text: str, source: str, target: str) -> str:
    read, write = coordinates.get(source), coordinates.get(target)
    report = read.parse_report(text, read.frame(SIZE))
    frame = write.frame(SIZE)
    places = [
        place_of(each, write, frame, bare=stands_bare(read, text, span))
        for each, span in zip(report.locations, report.spans, strict=True)
    ]
    return apply(text, rewrite(text, report.spans, places, write))


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 999) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@st.composite
def answers(draw: st.DrawFn, key: str) -> tuple[Any, list[list[int]]]:
    """JSON with locations of the dialect somewhere in it, and the numbers of these."""
    found = []

    def item() -> dict[str, Any]:
        members = draw(st.dictionaries(st.text(max_size=5), values, max_size=3))
        x1, y1 = draw(st.integers(0, 400)), draw(st.integers(0, 200))
        numbers = [x1, y1, x1 + draw(st.integers(1, 99)), y1 + draw(st.integers(1, 99))]
        found.append(numbers)
        names = [*members, key]
        order = draw(st.permutations(names))
        return {name: numbers if name == key else members[name] for name in order}

    items = [item() for _ in range(draw(st.integers(1, 3)))]
    whole = draw(st.sampled_from(["list", "alone", "inside"]))
    if whole == "alone":
        return items[0], found[:1]
    return (items if whole == "list" else {"objects": items, "n": len(items)}), found


def without_places(value: Any) -> Any:
    """All but the values, and the names, of the locations' members."""
    if isinstance(value, dict):
        return [
            ("PLACE", None) if key in NATIVE.values() else (key, without_places(each))
            for key, each in value.items()
        ]
    return [without_places(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("target", JSON_DIALECTS)
@pytest.mark.parametrize("source", JSON_DIALECTS)
@given(data=st.data())
def test_json_stays_json_and_all_else_equal(source: str, target: str, data: st.DataObject) -> None:
    value, _ = data.draw(answers(NATIVE[source]))
    indent = data.draw(st.sampled_from([None, 1, 4]))
    text = json.dumps(value, indent=indent, ensure_ascii=data.draw(st.booleans()))
    again = json.loads(rewritten(text, source, target))
    assert without_places(again) == without_places(value)


@pytest.mark.parametrize("target", sorted({*coordinates.names()} - {"molmo"}))
@given(data=st.data())
def test_of_json_nothing_is_halved(target: str, data: st.DataObject) -> None:
    """A dialect that writes no JSON gets its own words, or JSON with a string."""
    value, _ = data.draw(answers("bbox_2d"))
    new = rewritten(json.dumps(value), "qwen3-vl", target)
    try:
        assert without_places(json.loads(new)) == without_places(value)
    except ValueError:
        assert '"bbox_2d"' not in new


@pytest.mark.parametrize(
    ("text", "source", "target", "expected"),
    [
        (
            '```json\n[\n\t{"bbox_2d": [1, 2, 30, 40], "label": "a"},\n\t{"label": "b"}\n]\n```',
            "qwen3-vl",
            "gemini",
            '```json\n[\n\t{"box_2d": [2, 1, 40, 30], "label": "a"},\n\t{"label": "b"}\n]\n```',
        ),
        (
            '{"bbox_2d": [[1, 2, 3, 4], [5, 6, 7, 8]]}',
            "qwen3-vl",
            "gemini",
            '{"box_2d": [[2, 1, 4, 3], [6, 5, 8, 7]]}',
        ),
        ("[1, 2, 3, 4]", "qwen3-vl", "gemini", "[2, 1, 4, 3]"),
        (
            '{"x1": 1, "y1": 2, "x2": 3, "y2": 4, "label": "a"}',
            "qwen3-vl",
            "gemini",
            '{"box_2d": [2, 1, 4, 3], "label": "a"}',
        ),
        (
            '{"answer": "{\\"bbox_2d\\": [1, 2, 3, 4], \\"label\\": \\"a\\"}"}',
            "qwen3-vl",
            "gemini",
            '{"answer": "{\\"box_2d\\": [2, 1, 4, 3], \\"label\\": \\"a\\"}"}',
        ),
        (
            '{"answer": "{\\"bbox_2d\\": [1, 2, 3, 4]}"}',
            "qwen3-vl",
            "internvl",
            '{"answer": "{\\"bbox_2d\\": \\"<box>[[1, 2, 3, 4]]</box>\\"}"}',
        ),
        (
            '{"answer": "{\\"x1\\": 1, \\"y1\\": 2, \\"x2\\": 3, \\"y2\\": 4}"}',
            "qwen3-vl",
            "gemini",
            '{"answer": "{\\"box_2d\\": [2, 1, 4, 3]}"}',
        ),
        (
            '{"label": "a", "bbox_2d": {"x1": 1, "y1": 2, "x2": 3, "y2": 4}, "n": 1}',
            "qwen3-vl",
            "gemini",
            '{"label": "a", "box_2d": [2, 1, 4, 3], "n": 1}',
        ),
        (
            '[{"bbox": {"x1": 1, "y1": 2, "x2": 3, "y2": 4}, "label": "a"}]',
            "qwen3-vl",
            "internvl",
            "<ref>a</ref><box>[[1, 2, 3, 4]]</box>",
        ),
        ("{'bbox': [1, 2, 3, 4]}", "qwen3-vl", "gemini", "{'bbox': [2, 1, 4, 3]}"),
        (
            '```json\n[{"bbox_2d": [1, 2, 3, 4], "label": "a"}]\n```',
            "qwen3-vl",
            "internvl",
            "<ref>a</ref><box>[[1, 2, 3, 4]]</box>",
        ),
        (
            '[{"bbox_2d": [1, 2, 3, 4], "label": "a"}, {"bbox_2d": [5, 6, 7, 8], "label": "b"}]',
            "qwen3-vl",
            "paligemma",
            "<loc0002><loc0001><loc0004><loc0003> a ; <loc0006><loc0005><loc0008><loc0007> b",
        ),
        (
            '{"bbox_2d": [1, 2, 3, 4], "score": 0.5}',
            "qwen3-vl",
            "internvl",
            '{"bbox_2d": "<box>[[1, 2, 3, 4]]</box>", "score": 0.5}',
        ),
        (
            '{"bbox_2d": "<box>[[1, 2, 3, 4]]</box>", "score": 0.5}',
            "internvl",
            "qwen3-vl",
            '{"bbox_2d": [1, 2, 3, 4], "score": 0.5}',
        ),
        (
            "<ref>two cats</ref><box>[[1, 2, 3, 4], [5, 6, 7, 8]]</box>",
            "internvl",
            "qwen3-vl",
            '[{"bbox_2d": [1, 2, 3, 4], "label": "two cats"}, '
            '{"bbox_2d": [5, 6, 7, 8], "label": "two cats"}]',
        ),
        (
            "Here: <|object_ref_start|>a<|object_ref_end|><|box_start|>(1,2),(3,4)<|box_end|>.",
            "qwen2-vl",
            "qwen3-vl",
            'Here: {"bbox_2d": [1, 2, 3, 4], "label": "a"}.',
        ),
        (
            '<points x1="1.0" y1="2.0" x2="3.0" y2="4.0" alt="the &amp;s">the &amp;s</points>',
            "molmo",
            "qwen3-vl",
            '[{"point_2d": [10, 20], "label": "the &s"}, '
            '{"point_2d": [30, 40], "label": "the &s"}]',
        ),
        (
            '[{"point_2d": [10, 20], "label": "cat"}]',
            "qwen3-vl",
            "molmo",
            '<point x="1.0" y="2.0" alt="cat">cat</point>',
        ),
        (
            "<loc0002><loc0001><loc0004><loc0003> a ; <loc0006><loc0005><loc0008><loc0007> b",
            "paligemma",
            "internvl",
            "<ref>a</ref><box>[[1, 2, 3, 4]]</box><ref>b</ref><box>[[5, 6, 7, 8]]</box>",
        ),
        (
            "cats [[001,002,003,004;005,006,007,008]]",
            "cogvlm",
            "qwen3-vl",
            'cats [{"bbox_2d": [1, 2, 3, 4]}, {"bbox_2d": [5, 6, 7, 8]}]',
        ),
        (
            "It is at (0.1000,0.2000,0.3000,0.4000).",
            "nfp",
            "qwen3-vl",
            'It is at {"bbox_2d": [100, 200, 300, 400]}.',
        ),
    ],
)
def test_what_becomes_of_a_text(text: str, source: str, target: str, expected: str) -> None:
    assert rewritten(text, source, target) == expected


@pytest.mark.parametrize("name", coordinates.names())
@pytest.mark.parametrize("around", ["{}", "It is at {}.", "They are at {}, {} and {}"])
def test_its_own_text_comes_back(name: str, around: str) -> None:
    written = coordinates.get(name)
    place: Location = Box(100, 50, 300, 200) if "box" in written.kinds else Point(100, 50)
    text = around.replace("{}", written.encode(place, written.frame(SIZE)))
    assert rewritten(text, name, name) == text


def test_a_label_of_molmo_stays() -> None:
    for text in (
        '<point x="10.0" y="20.0" alt="dog">dog</point>',
        'Two <points x1="10.0" y1="20.0" x2="30.5" y2="40.5" alt="dogs">dogs</points>.',
    ):
        assert rewritten(text, "molmo", "molmo") == text
