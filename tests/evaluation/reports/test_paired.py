import shutil

import msgspec
import pytest

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.reports.paired import compare_runs
from locvlm.evaluation.task import ScoredAnswer
from locvlm.io.atomic import ensure_dir
from locvlm.io.json_rows import write_json, write_rows
from tests.evaluation.running import evaluate


def test_a_run_against_itself(annotations, images, tmp_path, scripted):
    evaluate(scripted("describe"), "describe", annotations, images, tmp_path)
    found = compare_runs(tmp_path, tmp_path)
    assert found.models == ("A: scripted", "B: scripted")
    assert (found.only_a, found.only_b, found.both, found.neither) == ([], [], 10, 0)
    for score in found.scores.values():
        assert (score.a, score.b, score.value, score.low, score.high) == (1, 1, 0, 0, 0)
        assert not score.sure


def test_a_better_run(annotations, images, tmp_path, scripted):
    def silent(question, ideal):
        return "nothing"

    worse = scripted("describe", silent)
    worse.name = "worse"
    evaluate(worse, "describe", annotations, images, tmp_path / "worse")
    evaluate(scripted("describe"), "describe", annotations, images, tmp_path / "better")
    found = compare_runs(tmp_path / "worse", tmp_path / "better")
    assert found.models == ("worse", "scripted")
    assert (found.only_a, len(found.only_b), found.both, found.neither) == ([], 10, 0, 0)
    score = found.scores["accuracy"]
    assert (score.a, score.b, score.low, score.high, score.n) == (0, 1, 1, 1, 10)
    assert score.sure


def test_the_interval_is_about_pictures(annotations, images, tmp_path, scripted):
    """Of three pictures one differs: drawing pictures anew finds it from none to three times."""

    evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "a")
    worse = scripted("locate", lambda question, ideal: "" if "kite" in question else ideal)
    evaluate(worse, "locate", annotations, images, tmp_path / "b")
    score = compare_runs(tmp_path / "a", tmp_path / "b").scores["parse rate"]
    assert score.value == pytest.approx(-1 / 8)
    assert score.low == pytest.approx(-1 / 3)
    assert score.high == 0
    assert not score.sure


def test_runs_that_cannot_be_compared(annotations, images, tmp_path, scripted):
    evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "a")
    evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "b", limit=1)
    evaluate(scripted("describe"), "describe", annotations, images, tmp_path / "c")
    with pytest.raises(InputError, match=r"same questions \(4 differ, such as '2/hot dog'\)"):
        compare_runs(tmp_path / "a", tmp_path / "b")
    with pytest.raises(InputError, match="is of locate, .* of describe; compare the same task"):
        compare_runs(tmp_path / "a", tmp_path / "c")
    with pytest.raises(InputError, match="cannot be read"):
        compare_runs(tmp_path / "a", tmp_path / "none")


def described(folder, answers):
    """A run of RefCOCO's form: two pictures of the first split, one of the other."""
    splits = ("val", "val", "val", "test")
    rows = [
        ScoredAnswer(
            id=str(i),
            image=f"{i // 2}{split}.png",
            prompt="",
            answer=answer,
            expected=truth,
            meta={"split": split},
            marks=(),
            hit=answer == truth,
            values={},
            accepted=(truth, "a dog"),
        )
        for i, (split, answer, truth) in enumerate(zip(splits, answers, TRUTHS, strict=True))
    ]
    scores = msgspec.to_builtins(tasks.get("refcoco").summarize(rows, seed=0))
    write_json(folder / "scores.json", {"task": "refcoco", "model": "x", "scores": scores})
    write_rows(folder / "scored.jsonl", rows)
    return scores


TRUTHS = ("the black dog", "a zebra on the left", "man in red", "the left cup")


def test_descriptions(tmp_path):
    """Scores of all answers together, of draws as of the whole."""
    pytest.importorskip("pycocoevalcap")
    if shutil.which("java") is None:
        pytest.skip("needs Java")
    folders = [ensure_dir(tmp_path / name) for name in "ab"]
    worse = described(folders[0], ["the dog", "zebra", "a man", "the left cup"])
    better = described(folders[1], TRUTHS)
    found = compare_runs(*folders)
    assert found.scores.keys() == worse.keys()
    for name, score in found.scores.items():
        assert (score.a, score.b) == (worse[name]["value"], better[name]["value"])
        assert score.low <= score.value + 1e-9
        assert score.high >= score.value - 1e-9
    assert found.scores["val/METEOR"].sure
    same = found.scores["test/METEOR"]
    assert (same.low, same.high) == (0, 0)


def test_descriptions_need_java(tmp_path, monkeypatch):
    write_json(
        tmp_path / "scores.json",
        {"task": "refcoco", "model": "x", "data": "d", "questions": 1, "pictures": 1, "scores": {}},
    )
    rows = [ScoredAnswer("1", "1.png", "", "a dog", "dog", {"split": "val"}, (), True, {})]
    write_rows(tmp_path / "scored.jsonl", rows)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="METEOR, CIDEr, BLEU and ROUGE-L need"):
        compare_runs(tmp_path, tmp_path)
