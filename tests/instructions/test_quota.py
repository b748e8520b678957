"""At most so many questions per category and objective, over the whole set."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.instructions import question_rows as module
from locvlm.instructions.base import Instruction
from locvlm.instructions.build import QuestionOptions, build
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.dataset import read_dataset
from locvlm.instructions.quota import compute_quota, keep_lowest, merge_lowest

BOX = Box(10, 10, 40, 40)


def data(*pictures: str) -> AnnotationSet:
    images = tuple(
        AnnotatedImage(number, f"{number}.jpg", 100, 100, tuple(Object(c, BOX) for c in here))
        for number, here in enumerate(pictures)
    )
    return AnnotationSet(images, ("a", "b", "c"), Path("instances.json"))


def kept(annotations: AnnotationSet, most: int | None, seed: int = 0) -> list[tuple[str, str]]:
    """Picture and category of each revloc question."""
    built = build(annotations, QuestionOptions(["revloc"], per_category=most, seed=seed))
    return [(row.image, item.category) for row in built.conversations for item in row.instructions]


def test_nothing_to_balance() -> None:
    assert compute_quota([], 3, 0).keeps(1, []) == []


@given(st.lists(st.text("abc", max_size=5), max_size=6), st.integers(1, 4))
def test_as_many_as_wanted_or_as_there_are(pictures: list[str], most: int) -> None:
    found = Counter(category for _, category in kept(data(*pictures), most))
    there = Counter("".join(pictures))
    assert found == {name: min(most, count) for name, count in there.items()}


def test_spread_over_the_pictures() -> None:
    assert Counter(kept(data("aaaaa", "aaa", "a"), 3)) == {
        (f"{number}.jpg", "a"): 1 for number in range(3)
    }


def test_chosen_by_seed() -> None:
    many = data(*["a"] * 40)
    assert kept(many, 5) == kept(many, 5)
    assert kept(many, 5, seed=1) != kept(many, 5)


def test_what_is_left_out_is_counted() -> None:
    built = build(data("aaab"), QuestionOptions(["revloc"], per_category=1))
    assert built.counts == {"revloc": 2}
    assert built.drops == {"questions beyond per_category": 2}


def test_what_is_about_no_category_stays() -> None:
    built = build(data("a", "a", "a"), QuestionOptions(["category"], per_category=1))
    assert built.counts == {"category": 3}


def test_batches_make_no_difference() -> None:
    ranks = [(("x", "a"), (number % 3, number / 10)) for number in range(9)]
    parts = [keep_lowest(ranks[:4], 3), keep_lowest(ranks[4:], 3)]
    assert merge_lowest(parts, 3) == keep_lowest(ranks, 3)
    assert compute_quota(parts, 3, 0).last == {("x", "a"): (0, 0.6)}


def test_an_instruction_on_disk_knows_no_category() -> None:
    assert Instruction("x", "q", "a", category="dog") == Instruction("x", "q", "a")


@pytest.mark.parametrize("most", [0, -1])
def test_at_least_one(most: int) -> None:
    with pytest.raises(InputError, match="per_category must be at least 1"):
        kept(data("a"), most)


def test_workers_and_batches_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = {
        "images": [
            {"id": i, "file_name": f"{i}.jpg", "width": 100, "height": 100} for i in range(7)
        ],
        "categories": [{"id": i, "name": f"thing {i}"} for i in range(9)],
        "annotations": [
            {"id": i, "image_id": i % 7, "category_id": i % 4, "bbox": [i, i, 20, 20]}
            for i in range(40)
        ],
    }
    source = tmp_path / "instances.json"
    source.write_text(json.dumps(tree))
    questions = QuestionOptions(per_category=2, negatives="adversarial")
    options = BuildOptions(find_images=False, questions=questions)
    one = build_from_files(source, None, tmp_path / "one", options)
    monkeypatch.setattr(module, "AT_ONCE", 3)
    two = build_from_files(source, None, tmp_path / "two", replace(options, workers=2))
    assert read_dataset(tmp_path / "one") == read_dataset(tmp_path / "two")
    assert (one.counts, one.drops) == (two.counts, two.drops)
    assert one.per_category == 2
