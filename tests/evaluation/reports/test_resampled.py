"""Scores that are no means: draws summed up at once are those that are summed up one by one."""

import random
from dataclasses import replace

import pytest

from locvlm.evaluation import tasks
from locvlm.evaluation.reports.paired import find_differences
from locvlm.evaluation.task import ScoredAnswer


def pope_row(rng, i):
    truth, yes = rng.choice(["yes", "no"]), rng.random() < 0.6
    values = {"yes": yes, "strict yes": yes and rng.random() < 0.9, "strict no": not yes}
    values |= {"strict yes": bool(values["strict yes"])}
    return make_row(i, truth, yes == (truth == "yes"), {"file": "abc"[i % 3]}, values)


def whatsup_row(rng, i):
    relation = ("left", "right", "on", "under")[i % 4]
    meta = {"relation": relation, "set": f"{i // 4}" if i % 7 else ""}
    return make_row(i, relation, rng.random() < 0.7, meta, {"parsed": True})


def make_row(i, expected, hit, meta, values):
    return ScoredAnswer(str(i), f"{i // 2}.jpg", "", "", expected, meta, (), hit, values)


@pytest.mark.parametrize("name, make", [("pope", pope_row), ("whatsup", whatsup_row)])
def test_draws_are_summed_up_at_once(name, make):
    """The same figures, of several samples too."""
    task = tasks.get(name)
    runs = [
        [[make(random.Random(f"{seed}/{i}"), i) for i in range(60)] for seed in seeds]
        for seeds in ((0,), (1, 2))
    ]
    truths = [row.expected for row in runs[0][0]]
    runs = [
        [[replace(r, expected=t) for r, t in zip(rows, truths, strict=True)] for rows in samples]
        for samples in runs
    ]
    assert task.resample_others is not None
    fast = find_differences(task, runs, [{}, {}], seed=3)
    slow = find_differences(replace(task, resample_others=None), runs, [{}, {}], seed=3)
    assert list(fast) == list(slow)
    for score, other in zip(fast.values(), slow.values(), strict=True):
        assert (score.a, score.b, score.n) == (other.a, other.b, other.n)
        assert (score.low, score.high) == pytest.approx((other.low, other.high), abs=1e-9)
