"""Means and intervals over seeds, beside published figures."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.ablation.table import (
    AblationCell,
    find_published,
    format_markdown,
    student_t,
    tabulate,
)
from locvlm.ablation.variants import make_variants
from locvlm.evaluation.suites.suite import Entry, read_suite
from tests.ablation.recipes import RECIPE


@given(st.lists(st.floats(0, 100), min_size=2, max_size=12))
def test_an_interval_holds_its_mean(values: list[float]) -> None:
    cell = AblationCell(tuple(values))
    assert min(values) - 1e-9 <= cell.mean <= max(values) + 1e-9
    assert cell.half >= 0


def test_of_one_seed_there_is_no_interval() -> None:
    assert math.isnan(AblationCell((50.0,)).half)
    assert str(AblationCell((50.0,))) == "50.0"


def test_three_seeds_as_by_hand() -> None:
    """Mean 2, deviation 1, so 4.303 / sqrt(3)."""
    assert str(AblationCell((1.0, 2.0, 3.0))) == "2.0 ± 2.5"


@pytest.mark.parametrize(("n", "t"), [(2, 12.706), (11, 2.228), (12, 2.201), (31, 2.042)])
def test_quantiles_as_in_the_books(n: int, t: float) -> None:
    assert student_t(n) == pytest.approx(t, abs=3e-3)


def test_scores_without_a_value_are_left_out() -> None:
    seed = {"e": {"scores": {"a": {"value": 0.5}, "b": {"value": None}}}}
    table = tabulate({"x": [seed, seed]}, {"e": ("a", "b", "c")})
    assert table == {"x": {"e: a": AblationCell((50.0, 50.0))}}
    assert format_markdown("T", table).splitlines()[2:] == [
        "| score | x |",
        "|---|---|",
        "| e: a | 50.0 ± 0.0 |",
    ]
    assert tabulate({}, {}) == {}


def test_published_figures_stand_beside_the_variants_in_percent() -> None:
    own = {"scores": {"a": {"value": 0.5, "kind": "rate"}, "m": {"value": 0.2, "kind": "mean"}}}
    printed = {
        "a": {"none": 44.7, "ivb": 47.3},
        "m": {"none": 0.103},
        "judge": {"none": {"on clips": 37.4, "on images": 35.2}},
    }
    entries = [Entry("e", "locate", {}, published=printed)]
    published = find_published(entries, {"none": [{"e": own}], "+ locpred": [{"e": own}]})
    assert published == {
        "e: a, published": {"none": 44.7},
        "e: m, published": {"none": pytest.approx(10.3)},
        "e: judge, published, on clips": {"none": 37.4},
        "e: judge, published, on images": {"none": 35.2},
    }
    table = tabulate({"none": [{"e": own}], "+ locpred": [{"e": own}]}, {"e": ("a",)})
    assert format_markdown("T", table, published).splitlines()[2:6] == [
        "| score | none | + locpred |",
        "|---|---|---|",
        "| e: a | 50.0 | 50.0 |",
        "| e: a, published | 44.7 | – |",
    ]


def test_the_papers_columns_by_the_names_of_variants() -> None:
    """Each variant that this package makes has the paper's figure, of all columns."""
    entries = read_suite("ablation")
    assert [entry.name for entry in entries] == ["gqa", "refcocog", "activitynet-qa"]
    variants = {"without", "alone", *make_variants(RECIPE, "coordinates")}
    variants |= {*make_variants(RECIPE, "objectives"), *make_variants(RECIPE, "location")}
    for entry in entries:
        [printed] = entry.published.values()
        assert printed.keys() == variants
    objectives = [
        find_published(
            [entry],
            {name: [{entry.name: {"scores": {}}}] for name in make_variants(RECIPE, "objectives")},
        )
        for entry in entries[::2]
    ]
    assert objectives[0] == {
        "gqa: accuracy, published, tuned on images": {
            "none": 44.7,
            "+ locpred": 45.2,
            "+ negpred": 46.9,
            "+ revloc": 47.3,
        }
    }
    assert [*objectives[1].values()][1] == {
        "none": 37.4,
        "+ locpred": 37.6,
        "+ negpred": 38.2,
        "+ revloc": 38.2,
    }
