"""The images of a limit: a sample that is like the whole, and grows."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.evaluation.limited import order_images, questions_by_image
from locvlm.evaluation.task import Question
from locvlm.instructions.base import Instruction


def ask(image: str, *categories: str) -> list[Question]:
    what = Instruction("x", "Where?", "There")
    return [
        Question(f"{image}/{name}", image, (9, 9), what, "", meta={"category": name})
        for name in categories
    ]


def groups(contents: dict[str, tuple[str, ...]]) -> dict[str, list[Question]]:
    return {image: ask(image, *names) for image, names in contents.items()}


def by_class() -> dict[str, list[Question]]:
    """A folder sorted by class: 60 scratches, then 30 dents, then 10 cracks."""
    counts = {"scratch": 60, "dent": 30, "crack": 10}
    return groups({f"{name}/{i}": (name,) for name, n in counts.items() for i in range(n)})


def test_each_category_has_its_share():
    for seed in range(5):
        chosen = order_images(by_class(), 20, seed)
        found = Counter(name.partition("/")[0] for name in chosen)
        assert found == {"scratch": 12, "dent": 6, "crack": 2}
        few = Counter(name.partition("/")[0] for name in order_images(by_class(), 5, seed))
        assert few["scratch"] == 3 and few["dent"] in (1, 2)


contents = st.dictionaries(
    st.text("abcdefgh/.", min_size=1, max_size=4),
    st.lists(st.sampled_from(["dog", "cat", "cup", "kite"]), max_size=3, unique=True).map(tuple),
    max_size=20,
)


@given(contents, st.integers(0, 99), st.randoms(use_true_random=False))
def test_an_order_of_all_by_seed_and_names_alone(known: dict, seed: int, random: Random):
    whole = order_images(groups(known), len(known), seed)
    assert sorted(whole) == sorted(known)
    for count in range(len(known) + 3):  # the smaller sample is the beginning of the larger one
        assert order_images(groups(known), count, seed) == whole[:count]
    shuffled = list(known)
    random.shuffle(shuffled)
    turned = groups({name: known[name][::-1] for name in shuffled})
    assert order_images(turned, len(known), seed) == whole


def test_seeds_differ():
    assert len({tuple(order_images(by_class(), 20, seed)) for seed in range(9)}) == 9


def test_questions_without_groups():
    plain = {
        str(i): [Question(str(i), str(i), None, Instruction("x", "?", "!"), "")] for i in range(9)
    }
    chosen = order_images(plain, 4, 0)
    assert len(set(chosen)) == 4 and chosen != list("0123")


def test_without_a_limit_all_stay_in_their_order():
    questions = [question for group in by_class().values() for question in group]
    assert list(questions_by_image(questions, None, seed=3)) == list(by_class())
    assert list(questions_by_image(questions, 3, seed=None)) == list(by_class())[:3]
    assert list(questions_by_image(questions, 3, seed=3)) == order_images(by_class(), 3, 3)
    with pytest.raises(InputError, match="limit must be at least 1 picture, not 0"):
        questions_by_image(questions, 0, seed=3)
