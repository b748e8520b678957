"""Several drawn answers to each question: their means, and the names of their files."""

from statistics import stdev

import pytest

from locvlm.evaluation.intervals import Score
from locvlm.evaluation.samples import SampledScore, mean_scores, sample_number, sample_path
from tests.evaluation.drawing import NAMES


def test_means_of_scores():
    none = Score(None, 0, 1, 0)
    one = {"a": Score(0.5, 0.25, 0.75, 8), "b": none, "c": Score(2, 1, 3, 4, "points")}
    assert mean_scores([one]) is one
    two = {"a": Score(0.7, 0.45, 0.95, 6), "b": Score(0.25, 0, 0.5, 2), "d": none}
    found = mean_scores([one, two])
    assert found["a"] == SampledScore(
        pytest.approx(0.6), pytest.approx(0.35), pytest.approx(0.85), 6, "rate", stdev([0.5, 0.7])
    )
    assert found["b"] == SampledScore(0.25, 0, 0.5, 2, "rate", None)
    assert found["c"] == SampledScore(2, 1, 3, 4, "points", None)
    assert found["d"] == SampledScore(None, 0, 1, 0, "rate", None)
    equal = mean_scores([{"a": Score(0.1, 0.05, 0.2, 8)}] * 3)["a"]
    assert (equal.value, equal.low, equal.high, equal.sd) == (0.1, 0.05, 0.2, 0)


def test_names_of_files(tmp_path):
    first = tmp_path / "predictions.jsonl"
    assert [sample_path(first, number).name for number in (1, 2, 3)] == list(NAMES)
    for number, name in enumerate(NAMES, 1):
        assert sample_number(tmp_path / name, "predictions.jsonl") == number
    others = ("answers.jsonl", "predictions-2.json", "predictions.1.jsonl")
    for name in (*others, *(f"predictions-{x}.jsonl" for x in ("x", "02", "2-judge", "-2", ""))):
        assert sample_number(tmp_path / name, "predictions.jsonl") is None
