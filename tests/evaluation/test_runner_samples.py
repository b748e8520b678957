"""Runs with several drawn answers to each question: files, scores, what is refused."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import stdev

import pytest

from locvlm import cli
from locvlm.distributed import Process
from locvlm.errors import InputError, UnusableImageError
from locvlm.evaluation import answered, runner
from locvlm.evaluation.intervals import rate
from locvlm.evaluation.predictions import read_predictions
from locvlm.evaluation.samples import read_scored_samples
from locvlm.evaluation.suites.run import run_suite
from locvlm.evaluation.suites.suite import Entry
from locvlm.inference.predictor import Predictor
from locvlm.inference.sampling import Sampling
from tests.evaluation.conftest import Scripted
from tests.evaluation.drawing import NAMES, Drawing, drawing, read
from tests.evaluation.running import evaluate, score, written


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(Scripted, "at_once", 4)


def test_a_file_for_each_sample(annotations, images, tmp_path, scripted, capsys):
    model, out = drawing(scripted), tmp_path / "out"
    result = evaluate(model, "locate", annotations, images, out, samples=3)
    assert model.calls == [3]  # each picture is read once for all samples
    answers = [{row.id: row for row in read_predictions(out / name)} for name in NAMES]
    assert answers[0].keys() == answers[1].keys() == answers[2].keys()
    nothing = [{id for id, row in rows.items() if not row.answer} for rows in answers]
    assert nothing == [set(), {"2/kite"}, {"1/dog", "2/hot dog"}]
    assert [{id for id, row in rows.items() if row.truncated} for rows in answers] == nothing
    assert result["truncated"]["answers"] == 3
    rates = [1, 7 / 8, 6 / 8]
    found = result["scores"]["parse rate"]
    assert found["value"] == pytest.approx(sum(rates) / 3)
    assert found["sd"] == pytest.approx(stdev(rates))
    assert found["n"] == 8
    lows = [rate([True] * hits + [False] * (8 - hits)).low for hits in (8, 7, 6)]
    assert found["low"] == pytest.approx(sum(lows) / 3)  # as wide as of one answer a question
    assert result["decoding"] == {**Drawing.decoding, "samples": 3}
    report = (out / "report.md").read_text()
    assert "drawn at temperature 0.2, seed 0: mean ± standard deviation over 3 answers" in report
    assert "| **parse rate** | 87.5 % ± 12.5 % |" in report
    assert [len(rows) for rows in read_scored_samples(out)] == [8, 8, 8]
    # Scored again: all of them by the first file, by another one that sample alone
    assert score("locate", out / NAMES[0], annotations, tmp_path / "again") == result
    for name in ("scores.json", "scored.jsonl", "scored-2.jsonl", "scored-3.jsonl"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()
    third = score("locate", out / NAMES[2], annotations, tmp_path / "third")
    assert third["scores"]["parse rate"]["value"] == 6 / 8
    assert "sd" not in third["scores"]["parse rate"]
    assert third["decoding"] == {**Drawing.decoding, "samples": 1, "sample": 3}
    given = ("--annotations", str(tmp_path / "annotations/small.json"))
    before = (out / "scores.json").read_bytes()
    assert cli.main(["score", "locate", "--predictions", str(out / NAMES[2]), *given]) == 0
    assert "sample 3 alone" in capsys.readouterr().out
    assert (out / "scores.json").read_bytes() == before
    assert cli.main(["score", "locate", "--predictions", str(out / NAMES[0]), *given]) == 0
    assert "0.875 ± 0.125" in capsys.readouterr().out


def test_one_sample_is_a_run_like_any_other(annotations, images, tmp_path, scripted):
    result = evaluate(drawing(scripted), "locate", annotations, images, tmp_path / "out")
    greedy = evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "greedy")
    assert result["scores"] == greedy["scores"]
    assert result["decoding"] == {**Drawing.decoding, "samples": 1}
    assert not (tmp_path / "out" / "predictions-2.jsonl").exists()


def test_a_killed_run_goes_on(annotations, images, tmp_path, scripted, few):
    settings = {"samples": 3}
    whole = tmp_path / "whole"
    result = evaluate(drawing(scripted), "locate", annotations, images, whole, **settings)

    class Killed(Exception):
        pass

    def dies(question, ideal):
        if "kite" in question:
            raise Killed
        return ideal

    out = tmp_path / "out"
    with pytest.raises(Killed):
        model = drawing(scripted, script=dies)
        evaluate(model, "locate", annotations, images, out, **settings)
    # The second file has one answer less, the last line of the third is torn
    lines = (out / NAMES[1]).read_bytes().splitlines(keepends=True)
    (out / NAMES[1]).write_bytes(b"".join(lines[:-1]))
    (out / NAMES[2]).write_bytes((out / NAMES[2]).read_bytes()[:-20])
    assert evaluate(drawing(scripted), "locate", annotations, images, out, **settings) == result
    assert read(out) == read(whole)
    # A finished one asks nothing
    model = drawing(scripted)
    assert evaluate(model, "locate", annotations, images, out, **settings) == result
    assert model.calls == []
    (out / NAMES[1]).unlink()  # lost
    assert evaluate(drawing(scripted), "locate", annotations, images, out, **settings) == result
    assert read(out) == read(whole)


def test_processes_share_a_run(annotations, images, tmp_path, scripted, monkeypatch, few):
    whole = evaluate(drawing(scripted), "locate", annotations, images, tmp_path / "w", samples=3)
    barrier, here = threading.Barrier(2), threading.local()
    monkeypatch.setattr(Process, "wait_for_all", lambda process: barrier.wait(30))
    monkeypatch.setattr(runner, "current_process", lambda: here.process)
    sources = written(annotations, tmp_path / "annotations", images)

    def work(rank):
        here.process = Process(rank, 2)
        model, out = drawing(scripted), tmp_path / "out"
        return runner.evaluate(model, "locate", sources, out, samples=3, several="skip")

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, range(2))) == [whole, whole]
    assert [set(data.splitlines()) for data in read(tmp_path / "out")] == [
        set(data.splitlines()) for data in read(tmp_path / "w")
    ]
    assert len(list((tmp_path / "out").glob("predictions*.jsonl"))) == 3


def test_what_the_processor_refuses_has_no_answer(annotations, images, tmp_path, scripted):
    class Refusing(Drawing):
        def sample_all(self, asked, samples):
            for place, (view, _) in enumerate(asked):
                if view.size == (300, 400):
                    error = UnusableImageError("too narrow")
                    error.place = place
                    raise error
            return super().sample_all(asked, samples)

    model = Refusing(scripted("locate"), {2: "dog"})
    result = evaluate(model, "locate", annotations, images, tmp_path / "out", samples=2)
    assert list(result["unreadable"]) == ["two/2.png"]
    assert result["questions"] == 5
    answers = [read_predictions(tmp_path / "out" / name) for name in NAMES[:2]]
    assert [[row.id for row in rows if row.truncated] for rows in answers] == [[], ["1/dog"]]
    assert result["scores"]["parse rate"]["value"] == pytest.approx((1 + 4 / 5) / 2)


def test_other_settings_are_another_run(annotations, images, tmp_path, scripted):
    out = tmp_path / "out"
    evaluate(drawing(scripted), "locate", annotations, images, out, samples=2)
    before = {path.name: path.read_bytes() for path in out.glob("*.json*")}
    with pytest.raises(InputError, match="holds a run with decoding .*'samples': 2.*choose"):
        evaluate(drawing(scripted), "locate", annotations, images, out, samples=3)
    other = drawing(scripted)
    other.decoding = {**Drawing.decoding, "temperature": 0.7}
    with pytest.raises(InputError, match="holds a run with decoding"):
        evaluate(other, "locate", annotations, images, out, samples=2)
    with pytest.raises(InputError, match="holds a run with decoding"):
        evaluate(scripted("locate"), "locate", annotations, images, out)
    assert {path.name: path.read_bytes() for path in out.glob("*.json*")} == before


def test_what_cannot_be_drawn(annotations, images, tmp_path, scripted, capsys):
    run = (annotations, images, tmp_path / "out")
    with pytest.raises(InputError, match="3 greedy samples are all the same; give a --temperature"):
        evaluate(scripted("locate"), "locate", *run, samples=3)
    with pytest.raises(InputError, match="samples must be at least 1, not 0"):
        evaluate(drawing(scripted), "locate", *run, samples=0)
    with pytest.raises(InputError, match="--answer choice takes the likeliest"):
        evaluate(drawing(scripted, "hal-coco"), "hal-coco", *run, method="choice")
    given = ["eval", "--model", "tiny", "--task", "hal-coco", "--annotations", "none.json"]
    given += ["--images", "none", "--out", str(tmp_path / "out")]
    for more, said in (
        (["--samples", "2"], "2 greedy samples are all the same"),
        (["--answer", "choice", "--temperature", "0.2"], "--answer choice takes the likeliest"),
        (["--suite", "location", "--samples", "2"], "2 greedy samples are all the same"),
    ):
        assert cli.main([*given, *more]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_missing_sample_is_told(annotations, images, tmp_path, scripted):
    out = tmp_path / "out"
    evaluate(drawing(scripted), "locate", annotations, images, out, samples=3)
    lines = (out / NAMES[1]).read_bytes().splitlines(keepends=True)
    (out / NAMES[1]).write_bytes(b"".join(lines[1:]))
    with pytest.raises(InputError, match=r"predictions-2\.jsonl: 1 of 8 questions have no answer"):
        score("locate", out / NAMES[0], annotations, tmp_path / "again")
    path, again = out / NAMES[0], tmp_path / "again"
    result = score("locate", path, annotations, again, allow_missing=True)
    assert (result["questions"], result["unanswered"]) == (7, 1)  # that every sample answers
    assert [len(rows) for rows in read_scored_samples(again)] == [7, 7, 7]
    (out / NAMES[1]).unlink()
    with pytest.raises(InputError, match=r"predictions-2\.jsonl: cannot be read"):
        score("locate", path, annotations, again)


def test_a_suite_of_samples(annotations, images, tmp_path, scripted):
    written(annotations, tmp_path / "annotations")
    entry = Entry("where", "locate", {"annotations": "annotations/small.json"}, "images")
    out = tmp_path / "out"
    run_suite(drawing(scripted), [entry], tmp_path, out, samples=3)
    table = (out / "suite.md").read_text()
    assert "87.5 % ± 12.5 % (" in table
    line = "scripted: answers drawn at temperature 0.2, seed 0: mean ± standard deviation over 3"
    assert line in table
    assert line in (out / "suite.html").read_text()
    with pytest.raises(InputError, match="holds a run with decoding"):
        run_suite(drawing(scripted), [entry], tmp_path, out)


def test_a_server_takes_one_answer(annotations, images, tmp_path, scripted, monkeypatch):
    load = runner.tasks.load

    def secret(*args, **options):
        return replace(load(*args, **options), truths="secret")

    monkeypatch.setattr(runner.tasks, "load", secret)
    monkeypatch.setattr(runner, "check_truths", lambda *_: None)
    with pytest.raises(InputError, match="a server takes one answer to each question"):
        evaluate(drawing(scripted), "locate", annotations, images, tmp_path / "out", samples=2)


def test_a_real_model_draws_the_same_however_it_is_asked(
    annotations, images, tmp_path, small_model
):
    """In chunks of another size, and from the middle on: the same files."""
    sources = written(annotations, tmp_path / "annotations", images)
    runs = []
    for number, at_once in enumerate((32, 3, 32)):
        loaded = (small_model.model, small_model.processor, small_model.coordinates)
        model = Predictor(*loaded, sampling=Sampling(0.7, seed=5))
        model.batching = replace(model.batching, questions=at_once)
        out = tmp_path / str(number)
        if number == 2:  # the first picture alone; then goes on
            runner.evaluate(model, "locate", sources, out, samples=3, limit=1)
        runner.evaluate(model, "locate", sources, out, samples=3)
        runs.append(read(out))
    assert len(set(runs[0])) == 3
    assert runs[0] == runs[1] == runs[2]


def test_another_file_beside_a_greedy_run(annotations, images, tmp_path, scripted):
    """A user's own copy is no sample of it."""
    evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "out")
    copy = tmp_path / "out" / "predictions-2.jsonl"
    copy.write_bytes((tmp_path / "out" / "predictions.jsonl").read_bytes())
    assert answered.read_run_beside(copy, "locate") is None
