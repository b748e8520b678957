from dataclasses import replace

import msgspec
import pytest

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.evaluation import runner, scoring, tasks
from locvlm.evaluation.predictions import read_predictions
from locvlm.evaluation.tasks import hal_coco
from locvlm.io.json_rows import write_rows
from tests.evaluation.conftest import Scripted
from tests.evaluation.running import DETECTION, evaluate, score, written


def value(result, name):
    return result["scores"][name]["value"]


def test_a_missing_answer_is_not_a_wrong_one(annotations, images, tmp_path, scripted):
    evaluate(scripted("describe"), "describe", annotations, images, tmp_path / "run")
    path = tmp_path / "run" / "predictions.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    with pytest.raises(InputError, match=r"1 of 10 questions have no answer, .* '1/0/dog'; answer"):
        score("describe", path, annotations, tmp_path / "again")
    result = score("describe", path, annotations, tmp_path / "again", allow_missing=True)
    assert (result["questions"], result["unanswered"]) == (9, 1)
    assert value(result, "accuracy") == 1


def test_answers_of_another_tool(annotations, tmp_path):
    rows = [
        {"question_id": "1/dog", "prediction": 'There: {"bbox_2d": [100, 100, 200, 233]}'},
        {"question_id": "1/cat", "text": "none"},
        {
            "id": "1/cup",
            "prediction": '{"bbox_2d": [850, 100, 900, 166]}',
            "answer": "the true one",
        },
        {"id": "1/clock", "answer": '{"bbox_2d": [375, 333, 625, 667]}'},
    ]
    path = tmp_path / "other.json"
    path.write_bytes(msgspec.json.encode(rows))
    first = replace(annotations, images=annotations.images[:1])
    with pytest.raises(InputError, match="how these answers write locations is not known"):
        score("locate", path, first, tmp_path / "out")
    qwen = coordinates.get("qwen3-vl")
    result = score("locate", path, first, tmp_path / "out", coordinates=qwen)
    assert result["model"] == "other"
    assert value(result, "parse rate") == 0.75
    assert value(result, "accuracy at IoU 0.5") == 0.75


def test_answers_to_other_questions_are_not_scored(annotations, images, tmp_path, scripted):
    evaluate(scripted("describe"), "describe", annotations, images, tmp_path)
    path = tmp_path / "predictions.jsonl"
    other = replace(annotations, images=annotations.images[1:])
    with pytest.raises(InputError, match=r"predictions\.jsonl: '1/0/dog' is no question"):
        score("describe", path, other, tmp_path / "again")
    with pytest.raises(InputError, match="answers to describe, not to locate"):
        score("locate", path, annotations, tmp_path / "again")
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] * 2)
    with pytest.raises(InputError, match="line 2: a second answer to '1/0/dog'"):
        score("describe", path, annotations, tmp_path / "again")
    path.write_bytes(b"")
    with pytest.raises(InputError, match="holds no answers"):
        score("describe", path, annotations, tmp_path / "again")


def test_one_model_per_file(annotations, images, tmp_path, scripted):
    evaluate(scripted("describe"), "describe", annotations, images, tmp_path)
    path = tmp_path / "predictions.jsonl"
    first, *rest = read_predictions(path)
    write_rows(path, [replace(first, model="other"), *rest])
    with pytest.raises(InputError, match="answers of other, scripted"):
        score("describe", path, annotations, tmp_path / "again")


def test_scoring_without_the_run_file(annotations, images, tmp_path, scripted):
    result = evaluate(scripted("hal-coco"), "hal-coco", annotations, images, tmp_path / "a", seed=0)
    alone = tmp_path / "alone.jsonl"
    alone.write_bytes((tmp_path / "a" / "predictions.jsonl").read_bytes())
    again = score("hal-coco", alone, annotations, tmp_path / "b", seed=0)
    assert again["scores"] == result["scores"]
    assert again["decoding"] is None
    with pytest.raises(InputError, match="the seed and the options of the run"):
        score("hal-coco", alone, annotations, tmp_path / "b", seed=1)


def test_every_score_carries_n_and_an_interval(annotations, images, tmp_path, scripted):
    for task in DETECTION:
        result = evaluate(scripted(task), task, annotations, images, tmp_path / task)
        assert set(tasks.get(task).headlines) <= set(result["scores"])
        for figure in result["scores"].values():
            assert set(figure) == {"value", "low", "high", "n", "kind"}
            assert 0 <= figure["low"] <= figure["high"] <= 1
        assert msgspec.json.decode((tmp_path / task / "scores.json").read_bytes()) == result


def test_words_for_categories_stay_with_the_run(annotations, images, tmp_path):
    """Asked with them, scored again without the file, told beside the data set's own names."""
    sources = written(annotations, tmp_path / "data", images)
    named = replace(sources, names={"dog": ("big dog", "hound"), "4": ("feline",)})
    out = tmp_path / "run"

    class Naming(Scripted):
        def _answers(self, view, questions):
            return ["A hound." for _ in questions]

    result = runner.evaluate(Naming({}, str), "describe", named, out)
    names = {"dog": ("big dog", "hound"), "cat": ("feline",)}
    assert result["names"] == msgspec.to_builtins({n: list(w) for n, w in names.items()})
    assert result["categories"]["big dog"] == {"n": 3, "accuracy": 1, "strict accuracy": 1}
    assert "feline" in result["categories"] and "cat" not in result["categories"]
    assert "| big dog (dog) | 3 | 1.000 | 1.000 |" in (out / "report.md").read_text()
    again = scoring.score("describe", out / "predictions.jsonl", sources, tmp_path / "again")
    assert (again["scores"], again["names"]) == (result["scores"], names)
    with pytest.raises(InputError, match=r"with names .*choose another --out"):
        runner.evaluate(Naming({}, str), "describe", sources, out)
    known = {
        q.meta["category"] for seed in range(9) for q in hal_coco.load(named, seed=seed, options={})
    }
    assert {"big dog", "feline"} <= known and not known & {"dog", "cat"}
