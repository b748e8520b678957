"""Comparisons of runs with several drawn answers to each question."""

from dataclasses import replace

import msgspec
import pytest

from locvlm import cli
from locvlm.evaluation import tasks
from locvlm.evaluation.reports.paired import compare_runs
from tests.evaluation.drawing import drawing
from tests.evaluation.running import evaluate


def test_compare_takes_the_mean_over_samples(annotations, images, tmp_path, scripted):
    evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "greedy")
    evaluate(drawing(scripted), "locate", annotations, images, tmp_path / "drawn", samples=3)
    evaluate(drawing(scripted), "locate", annotations, images, tmp_path / "two", samples=2)
    found = compare_runs(tmp_path / "greedy", tmp_path / "drawn")
    rates = found.scores["parse rate"]
    assert (rates.a, rates.b) == (1, pytest.approx((1 + 7 / 8 + 6 / 8) / 3))
    assert rates.low < rates.value < rates.high <= 0
    assert found.samples == (1, 3)
    assert found.drawn[0] == ""
    assert "over 3 answers" in found.drawn[1]
    assert (found.both, found.only_a, found.only_b) == (8, [], [])  # of the first sample
    found = compare_runs(tmp_path / "drawn", tmp_path / "two")
    assert found.scores["parse rate"].value == pytest.approx(15 / 16 - 21 / 24)
    same = compare_runs(tmp_path / "drawn", tmp_path / "drawn")
    assert all((s.value, s.low, s.high) == (0, 0, 0) for s in same.scores.values())


def test_compare_says_how_answers_were_drawn(annotations, images, tmp_path, scripted, capsys):
    evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "greedy")
    evaluate(drawing(scripted), "locate", annotations, images, tmp_path / "drawn", samples=3)
    capsys.readouterr()
    runs = [str(tmp_path / name) for name in ("greedy", "drawn")]
    assert cli.main(["compare", *runs]) == 0
    said = capsys.readouterr().out
    assert "B: scripted: answers drawn at temperature 0.2, seed 0: mean ±" in said
    assert "of the first sample" in said
    assert cli.main(["compare", *runs, "--json"]) == 0
    assert msgspec.json.decode(capsys.readouterr().out)["samples"] == [1, 3]


def test_scores_that_are_resampled_as_a_whole(annotations, images, tmp_path, scripted, monkeypatch):
    """Such as those of captions: of each sample an array, and then their mean."""
    task = tasks.get("locate")

    def resample(runs, counts):
        flags = [[row.values["parsed"] for row in rows] for rows in runs]
        return {
            "parse rate": (counts @ [[*of] for of in zip(*flags, strict=True)]).T / counts.sum(1)
        }

    evaluate(drawing(scripted), "locate", annotations, images, tmp_path / "a", samples=2)
    evaluate(drawing(scripted), "locate", annotations, images, tmp_path / "b", samples=3)
    plain = compare_runs(tmp_path / "a", tmp_path / "b").scores["parse rate"]
    monkeypatch.setitem(tasks._TASKS, "locate", replace(task, resample=resample))
    found = compare_runs(tmp_path / "a", tmp_path / "b").scores["parse rate"]
    assert (found.a, found.b) == (plain.a, plain.b)
    assert (found.low, found.high) == (pytest.approx(plain.low), pytest.approx(plain.high))
