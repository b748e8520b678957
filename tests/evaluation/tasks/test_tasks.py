from functools import partial
from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from tests.evaluation.running import DETECTION, questions_of

SHARED = {  # a file's further tasks
    **dict.fromkeys(("msvd-qa", "msrvtt-qa"), "caption-qa"),
    **dict.fromkeys(("refcoco+", "refcocog"), "refcoco"),
    **dict.fromkeys(("refcoco+-box", "refcocog-box"), "refcoco-box"),
}


def test_the_name_is_the_file():
    files = {path.stem.replace("_", "-") for path in Path(tasks.__file__).parent.glob("[!_]*.py")}
    assert {SHARED.get(name, name) for name in tasks.names()} == files
    for name in tasks.names():
        task = tasks.get(name)
        load = task.load.func if isinstance(task.load, partial) else task.load
        assert name == task.name
        assert load.__module__.rpartition(".")[2] == SHARED.get(name, name).replace("-", "_")


def test_unknown_names():
    with pytest.raises(InputError, match="unknown evaluation task 'none'; known: .*coco-spatial"):
        tasks.get("none")
    with pytest.raises(InputError, match="has no option 'max'; it has: min_objects"):
        tasks.resolve_options(tasks.get("coco-spatial"), {"max": 1})


@pytest.mark.parametrize(
    ("name", "option", "value", "wanted"),
    [
        ("hal-coco", "unboxed", "maybe", "'maybe' is not true or false; give it .* unboxed=false"),
        ("hal-coco", "unboxed", 1, "1 is not true or false"),
        ("coco-spatial", "min_objects", "many", "'many' is not a whole number; .* min_objects=3"),
        ("coco-spatial", "min_objects", 2.5, "2.5 is not a whole number"),
        ("coco-spatial", "min_objects", True, "True is not a whole number"),
        ("refcoco", "split", 3, "3 is not a text"),
        ("gqa", "prompt", ["short"], "is not a text; give it such as prompt=short"),
    ],
)
def test_options_have_types(name, option, value, wanted):
    with pytest.raises(InputError, match=f"task {name}, option {option}: .*{wanted}"):
        tasks.resolve_options(tasks.get(name), {option: value})


def test_options_have_defaults():
    task = tasks.get("coco-spatial")
    defaults = {"min_objects": 3, "reading": "pairs", "examples": "ours", "max_pairs": 40}
    assert tasks.resolve_options(task, {}) == defaults
    assert tasks.resolve_options(task, {"min_objects": 2}) == {**defaults, "min_objects": 2}


@pytest.mark.parametrize("name", DETECTION)
def test_ids_are_unique_and_repeat(name, annotations):
    first, again = (questions_of(name, annotations, seed=5) for _ in range(2))
    assert first == again
    assert len({question.id for question in first}) == len(first) > 0
