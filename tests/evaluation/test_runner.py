import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from PIL import Image

from locvlm.annotations.base import AnnotationSet
from locvlm.distributed import Process
from locvlm.errors import InputError, UnusableImageError
from locvlm.evaluation import run_files, runner, tasks
from locvlm.evaluation.predictions import read_predictions
from locvlm.geometry import Size
from locvlm.media.opening import View
from tests.evaluation.conftest import Scripted
from tests.evaluation.running import DETECTION, evaluate, score, written


@pytest.fixture
def few(monkeypatch):
    """Scripted models that are asked 4 questions together."""
    monkeypatch.setattr(Scripted, "at_once", 4)


def value(result, name):
    return result["scores"][name]["value"]


def test_an_oracle_is_right_everywhere(annotations, images, tmp_path, scripted):
    for task in DETECTION:
        result = evaluate(scripted(task), task, annotations, images, tmp_path / task)
        for name, figure in result["scores"].items():
            if figure["n"] and name.endswith(("not there rate", "unparsed rate")):
                assert figure["value"] == 0, (task, name)
            elif figure["n"] and name != "yes-rate":
                lowest = 0.9 if figure["kind"] == "mean" else 1  # bins are coarse
                assert lowest <= figure["value"] <= 1, (task, name)


def test_always_left_is_half_right(annotations, images, tmp_path, scripted):
    model = scripted("coco-spatial", lambda question, ideal: "It is on the left.")
    result = evaluate(model, "coco-spatial", annotations, images, tmp_path / "out")
    assert value(result, "left-right/direct/accuracy") == 0.5
    assert value(result, "left-right/direct/accuracy left") == 1
    assert value(result, "left-right/direct/accuracy right") == 0
    assert value(result, "above-below/direct/accuracy") == 0


def test_both_words_satisfy_the_paper_and_not_the_strict_score(
    annotations, images, tmp_path, scripted
):
    model = scripted("coco-spatial", lambda question, ideal: "Left, right, above and below.")
    result = evaluate(model, "coco-spatial", annotations, images, tmp_path / "out")
    assert value(result, "above-below/in-context/accuracy") == 1
    assert value(result, "above-below/in-context/strict accuracy") == 0


def test_always_yes_is_half_right(annotations, images, tmp_path, scripted):
    model = scripted("hal-coco", lambda question, ideal: "Yes")
    result = evaluate(model, "hal-coco", annotations, images, tmp_path / "out")
    figures = {name: figure["value"] for name, figure in result["scores"].items()}
    assert figures == {
        "accuracy": 0.5,
        "accuracy present": 1,
        "accuracy absent": 0,
        "precision": 0.5,
        "recall": 1,
        "yes-rate": 1,
    }
    assert result["skipped"] == {"fewer than 2 categories present": 1}


def test_no_box_counts_as_0(annotations, images, tmp_path, scripted):
    model = scripted("locate", lambda question, ideal: "In (1,2), on the sofa.")
    result = evaluate(model, "locate", annotations, images, tmp_path / "out")
    assert value(result, "mean IoU") == value(result, "parse rate") == 0


@pytest.mark.parametrize(
    ("at_once", "calls"), [(1, [1, 1, 1]), (6, [1, 2]), (7, [2, 1]), (32, [3])]
)
def test_pictures_are_asked_about_together(annotations, images, tmp_path, scripted, at_once, calls):
    model = scripted("locate")
    model.at_once = at_once
    evaluate(model, "locate", annotations, images, tmp_path / "out")
    assert model.calls == calls
    assert [len(questions) for questions in model.asked] == [4, 3, 1]
    assert model.asked[2] == [
        "Where is the object described cat located in image in terms of (x1,y1,x2,y2) bbox?"
    ]


def test_predictions_hold_the_raw_answer(annotations, images, tmp_path, scripted):
    model = scripted("describe", lambda question, ideal: "  A\n(9,9,9,9) “dog” ")
    evaluate(model, "describe", annotations, images, tmp_path)
    (row, *_) = read_predictions(tmp_path / "predictions.jsonl")
    assert row.answer == "  A\n(9,9,9,9) “dog” "
    # 400 x 300 is padded by 50 above and below: (40,30,80,70) -> (40,80,80,120) of 400
    assert row.prompt == "Describe the object located at (22,45,45,67)?"
    assert (row.image, row.model, row.expected) == ("1.png", "scripted", "dog")
    assert row.frame == model.frame((400, 300))


def test_scoring_again_gives_the_same_figures(annotations, images, tmp_path, scripted):
    for task in DETECTION:
        model = scripted(task, lambda question, ideal: ideal.replace("4", "5").replace("Y", "No"))
        out, again = tmp_path / task, tmp_path / task / "again"
        result = evaluate(model, task, annotations, images, out, seed=0)
        assert score(task, out / "predictions.jsonl", annotations, again) == result
        for name in ("scores.json", "scored.jsonl"):
            assert (again / name).read_bytes() == (out / name).read_bytes()
        assert run_files.read_json(out / "scores.json", dict) == result


def test_a_killed_run_goes_on(annotations, images, tmp_path, scripted, few):
    whole = evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "whole")

    class Killed(Exception):
        pass

    def dies(question, ideal):
        if "kite" in question:
            raise Killed
        return ideal

    out = tmp_path / "out"
    with pytest.raises(Killed):
        evaluate(scripted("locate", dies), "locate", annotations, images, out)
    path = out / "predictions.jsonl"
    path.write_bytes(path.read_bytes()[:-20])  # the last line is torn too
    model = scripted("locate")
    assert evaluate(model, "locate", annotations, images, out) == whole
    # the first chunk again, since one of its answers was torn: together they are as they were
    assert [len(questions) for questions in model.asked] == [4, 3, 1]
    for name in ("scores.json", "scored.jsonl", "predictions.jsonl"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_chunks_stay_those_of_the_device_that_began(
    annotations, images, tmp_path, scripted, monkeypatch
):
    """512 together on a GPU: a CPU goes on with the same chunks, the torn one asked whole."""
    monkeypatch.setattr(Scripted, "at_once", 512)
    whole = evaluate(scripted("locate"), "locate", annotations, images, tmp_path)
    path = tmp_path / "predictions.jsonl"
    rows = path.read_bytes()
    path.write_bytes(b"".join(rows.splitlines(keepends=True)[:5]))
    monkeypatch.setattr(Scripted, "at_once", 4)
    model = scripted("locate")
    assert evaluate(model, "locate", annotations, images, tmp_path) == whole
    assert model.calls == [3]
    assert path.read_bytes() == rows


def test_a_run_that_does_not_say_how_many_were_asked_together(
    annotations, images, tmp_path, scripted, monkeypatch
):
    evaluate(scripted("locate"), "locate", annotations, images, tmp_path, limit=1)
    settings = msgspec.json.decode((tmp_path / "run.json").read_bytes())
    assert settings.pop("at_once") == 32
    (tmp_path / "run.json").write_bytes(msgspec.json.encode(settings))
    monkeypatch.setattr(Scripted, "at_once", 1)
    model = scripted("locate")
    evaluate(model, "locate", annotations, images, tmp_path)
    assert model.calls == [3]


def test_choices(annotations, images, tmp_path, scripted):
    for task in ("coco-spatial", "hal-coco"):
        result = evaluate(
            scripted(task), task, annotations, images, tmp_path / task, method="choice"
        )
        assert result["decoding"] == {"method": "the likeliest choice"}
        for name in tasks.get(task).headlines:
            assert value(result, name) == 1, name
    with pytest.raises(InputError, match="questions of locate have no choices; use --answer"):
        evaluate(
            scripted("locate"), "locate", annotations, images, tmp_path / "no", method="choice"
        )
    with pytest.raises(InputError, match="holds a run with decoding"):
        evaluate(scripted("hal-coco"), "hal-coco", annotations, images, tmp_path / "hal-coco")


def test_questions_are_loaded_once_per_run(annotations, images, tmp_path, scripted, monkeypatch):
    """What was asked is scored as it was asked, and the hub is looked at once."""
    calls = Counter()

    def count(name, function):
        def counting(*arguments, **options):
            calls[name] += 1
            return function(*arguments, **options)

        return counting

    task = tasks.get("locate")
    monkeypatch.setitem(tasks._TASKS, "locate", replace(task, load=count("load", task.load)))
    monkeypatch.setattr(tasks, "fetch_missing_files", count("completed", tasks.fetch_missing_files))
    evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "out")
    assert calls == {"load": 1, "completed": 1}
    evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "out")  # a finished run
    assert calls == {"load": 2, "completed": 2}


def test_processes_share_a_run(annotations, images, tmp_path, scripted, monkeypatch, few):
    """Two threads stand for them, each with a model of its own."""
    whole = evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "whole")
    barrier, here = threading.Barrier(2), threading.local()
    monkeypatch.setattr(Process, "wait_for_all", lambda process: barrier.wait(30))
    monkeypatch.setattr(runner, "current_process", lambda: here.process)
    sources = written(annotations, tmp_path / "annotations", images)

    def work(rank):
        here.process = Process(rank, 2)
        model = scripted("locate")
        result = runner.evaluate(model, "locate", sources, tmp_path / "out", several="skip")
        return result, [len(questions) for questions in model.asked]

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(work, range(2)))
    assert results == [(whole, [4]), (whole, [3, 1])]
    for name in ("scores.json", "scored.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not list((tmp_path / "out").glob("predictions.*.jsonl"))


def test_what_killed_processes_wrote_is_kept(annotations, images, tmp_path, scripted, few):
    whole = evaluate(scripted("locate"), "locate", annotations, images, tmp_path)
    path = tmp_path / "predictions.jsonl"
    rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(rows[:4]))
    (tmp_path / "predictions.1.jsonl").write_bytes(b"".join(rows[3:6]) + rows[6][:9])
    model = scripted("locate")
    assert evaluate(model, "locate", annotations, images, tmp_path) == whole
    assert [len(questions) for questions in model.asked] == [3, 1]
    assert path.read_bytes() == b"".join(rows)


def test_a_finished_run_asks_nothing(annotations, images, tmp_path, scripted):
    first = evaluate(scripted("describe"), "describe", annotations, images, tmp_path)
    model = scripted("describe")
    assert evaluate(model, "describe", annotations, images, tmp_path) == first
    assert model.asked == []


def test_limit_counts_pictures_and_can_be_raised(annotations, images, tmp_path, scripted):
    result = evaluate(scripted("locate"), "locate", annotations, images, tmp_path, limit=1)
    assert (result["pictures"], result["unanswered"]) == (1, 0)  # what is not asked is no lack
    how = "a seeded sample in which each category has its share"
    assert result["asked"] == {"images": 1, "of_images": 3, "how": how}
    assert f"asked: 1 of 3 pictures, {how}" in (tmp_path / "report.md").read_text()
    again = score("locate", tmp_path / "predictions.jsonl", annotations, tmp_path / "again")
    assert (again["scores"], again["asked"]) == (result["scores"], result["asked"])
    result = evaluate(scripted("locate"), "locate", annotations, images, tmp_path)
    assert (result["pictures"], result["questions"], result["unanswered"]) == (3, 8, 0)
    assert "asked" not in result


def test_a_limit_is_a_sample_by_the_seed_and_goes_on(annotations, images, tmp_path, scripted):
    """That of two holds that of one; the answers there are stay."""
    asked = {}
    for seed in range(6):
        for limit in (1, 2):
            model, out = scripted("locate"), tmp_path / str(seed)
            evaluate(model, "locate", annotations, images, out, limit=limit, seed=seed)
            rows = read_predictions(out / "predictions.jsonl")
            asked[seed, limit] = list(dict.fromkeys(row.image for row in rows))
        assert asked[seed, 2][0] == asked[seed, 1][0]
    assert len({tuple(asked[seed, 1]) for seed in range(6)}) > 1


def test_a_run_begun_with_the_first_pictures_goes_on_so(
    annotations, images, tmp_path, scripted, capsys
):
    """As runs of before a limit was a sample: it is told."""
    seed = 1  # whose sample begins with another
    evaluate(scripted("locate"), "locate", annotations, images, tmp_path, limit=1, seed=seed)
    first = read_predictions(tmp_path / "predictions.jsonl")[0].image
    assert first != annotations.images[0].file_name
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "sampled": False}))
    (tmp_path / "predictions.jsonl").unlink()
    for limit in (1, 2):
        model = scripted("locate")
        result = evaluate(model, "locate", annotations, images, tmp_path, limit=limit, seed=seed)
        assert "an older LocVLM began this run with the first pictures" in capsys.readouterr().err
        assert result["asked"]["how"] == "the first ones"
        rows = read_predictions(tmp_path / "predictions.jsonl")
        found = list(dict.fromkeys(row.image for row in rows))
        assert found == [image.file_name for image in annotations.images[:limit]]
    result = evaluate(scripted("locate"), "locate", annotations, images, tmp_path, seed=seed)
    assert result["pictures"] == 3
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "key"),
    [({"seed": 3}, "seed"), ({"min_objects": 2}, "options"), ({"name": "other"}, "model")],
)
def test_another_run_in_the_same_folder(annotations, images, tmp_path, scripted, change, key):
    evaluate(scripted("coco-spatial"), "coco-spatial", annotations, images, tmp_path)
    model = scripted("coco-spatial")
    model.name = change.pop("name", model.name)
    with pytest.raises(InputError, match=rf"run\.json: .* with {key} .*choose another --out"):
        evaluate(model, "coco-spatial", annotations, images, tmp_path, **change)


def test_a_run_from_before_an_option_goes_on(annotations, images, tmp_path, scripted):
    evaluate(scripted("coco-spatial"), "coco-spatial", annotations, images, tmp_path, limit=1)
    path = tmp_path / "run.json"
    run = json.loads(path.read_text())
    assert run["options"] == {
        "min_objects": 3,
        "reading": "pairs",
        "examples": "ours",
        "max_pairs": 40,
    }
    path.write_text(json.dumps({**run, "options": {"min_objects": 3}}))
    evaluate(scripted("coco-spatial"), "coco-spatial", annotations, images, tmp_path)
    with pytest.raises(InputError, match="with options"):
        model = scripted("coco-spatial")
        evaluate(model, "coco-spatial", annotations, images, tmp_path, examples="paper")


def test_changed_annotations_are_another_run(annotations, images, tmp_path, scripted):
    evaluate(scripted("locate"), "locate", annotations, images, tmp_path)
    fewer = replace(annotations, images=annotations.images[:2])
    with pytest.raises(InputError, match="questions"):
        evaluate(scripted("locate"), "locate", fewer, images, tmp_path)


def test_answers_without_their_run(annotations, images, tmp_path, scripted):
    (tmp_path / "predictions.jsonl").write_text("")
    with pytest.raises(InputError, match=r"without their run\.json"):
        evaluate(scripted("locate"), "locate", annotations, images, tmp_path)


def test_bad_arguments(annotations, images, tmp_path, scripted):
    model = scripted("locate")
    with pytest.raises(InputError, match="unknown evaluation task 'find'"):
        evaluate(model, "find", annotations, images, tmp_path)
    with pytest.raises(InputError, match="has no option 'min_objects'; it has: several"):
        evaluate(model, "locate", annotations, images, tmp_path, min_objects=2)
    with pytest.raises(InputError, match="limit must be at least 1"):
        evaluate(model, "locate", annotations, images, tmp_path, limit=0)
    assert not (tmp_path / "run.json").exists()


def test_no_question(images, tmp_path, scripted):
    empty = AnnotationSet((), ("dog",), tmp_path / "none.json", Counter())
    for task in DETECTION:
        with pytest.raises(InputError, match=r"none\.json: no question for .* \(no pictures\)"):
            evaluate(scripted(task), task, empty, images, tmp_path / "out")


def test_a_picture_of_another_size(annotations, images, tmp_path, scripted):
    """Its boxes are in other pixels: none of it counts, and that is said."""
    Image.new("RGB", (300, 400)).save(images / "1.png")
    result = evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "out")
    assert list(result["unreadable"]) == ["1.png"]
    assert "1.png: is 300x400 pixels as displayed, annotated as 400x300" in str(result)
    assert result["pictures"] == 2
    for image in annotations.images:
        Image.new("RGB", (40, 41)).save(images / image.file_name)
    with pytest.raises(InputError, match=r"1\.png: is 40x41 .*so are 2 more: nothing that can be"):
        evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "other")


class Refusing:
    """What the processor of a model does that does not take pictures of some size."""

    def __init__(self, model: Scripted, size: Size):
        self.model, self.size = model, size

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def answer_all(self, asked: list[tuple[View, list[str]]]) -> list[list[str]]:
        for place, (view, _) in enumerate(asked):
            if view.size == self.size:
                error = UnusableImageError("too narrow")
                error.place = place
                raise error
        return self.model.answer_all(asked)


def test_what_the_processor_refuses_is_left_out_of_its_batch(
    annotations, images, tmp_path, scripted, capsys
):
    model = scripted("locate")
    result = evaluate(Refusing(model, (300, 400)), "locate", annotations, images, tmp_path)
    assert result["unreadable"] == {"two/2.png": f"{images}/two/2.png: too narrow"}
    assert f"skipped: {images}/two/2.png: too narrow" in capsys.readouterr().err
    assert model.calls == [2]  # the others together
    assert {row.image for row in read_predictions(tmp_path / "predictions.jsonl")} == {
        "1.png", "3.png"
    }  # fmt: skip
    # Once it is taken, the others' answers are kept
    again = scripted("locate")
    whole = evaluate(again, "locate", annotations, images, tmp_path)
    assert "unreadable" not in whole
    assert whole["pictures"] == 3


def test_what_another_process_was_refused_is_known(
    annotations, images, tmp_path, scripted, monkeypatch, few
):
    barrier, here = threading.Barrier(2), threading.local()
    monkeypatch.setattr(Process, "wait_for_all", lambda process: barrier.wait(30))
    monkeypatch.setattr(runner, "current_process", lambda: here.process)
    sources = written(annotations, tmp_path / "annotations", images)

    def work(rank):
        here.process = Process(rank, 2)
        model = Refusing(scripted("locate"), (400, 300))  # the pictures of the second process
        return runner.evaluate(model, "locate", sources, tmp_path / "out", several="skip")

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(work, range(2))
    assert first == second
    assert set(first["unreadable"]) == {"1.png", "3.png"}
    assert first["pictures"] == 1


def test_where_all_are_refused_it_is_an_error(annotations, images, tmp_path, scripted):
    one = replace(annotations, images=annotations.images[:1])
    with pytest.raises(InputError, match=r"1\.png: too narrow: nothing that can be asked about"):
        evaluate(Refusing(scripted("locate"), (400, 300)), "locate", one, images, tmp_path)


def test_a_missing_picture_is_counted(annotations, images, tmp_path, scripted):
    (images / "1.png").unlink()
    result = evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "out")
    assert result["pictures"] == 2
    assert result["dropped"] == {"pictures whose file is missing": 1}
    assert result["examples"] == {"pictures whose file is missing": "1.png"}
    report = (tmp_path / "out" / "report.md").read_text()
    assert "pictures whose file is missing: 1 (the first: 1.png)" in report


def test_seeds_are_not_negative(annotations, images, tmp_path, scripted):
    with pytest.raises(InputError, match="seed must be at least 0, not -1"):
        evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "out", seed=-1)


def test_a_folder_that_cannot_be(annotations, images, tmp_path, scripted):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="no folder can be made there"):
        evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "file" / "out")


def test_another_model_of_the_same_name_is_refused(annotations, images, tmp_path, scripted):
    """As where a folder was trained anew: the old answers are not taken for the new model's."""
    first, second = scripted("locate"), scripted("locate")
    second.digest = "trained anew"
    assert evaluate(first, "locate", annotations, images, tmp_path)["model_digest"] == "scripted"
    answers = (tmp_path / "predictions.jsonl").read_bytes()
    with pytest.raises(InputError, match=r"of scripted with other weights or settings: the model"):
        evaluate(second, "locate", annotations, images, tmp_path)
    assert second.asked == []
    assert (tmp_path / "predictions.jsonl").read_bytes() == answers


def test_changed_data_is_refused(annotations, images, tmp_path, scripted):
    evaluate(scripted("locate"), "locate", annotations, images, tmp_path)
    fewer = replace(annotations, images=annotations.images[:2])
    with pytest.raises(InputError, match=r"the data set has changed since; choose another --out"):
        evaluate(scripted("locate"), "locate", fewer, images, tmp_path)


def test_a_run_that_does_not_say_which_weights_is_refused(annotations, images, tmp_path, scripted):
    evaluate(scripted("locate"), "locate", annotations, images, tmp_path)
    settings = msgspec.json.decode((tmp_path / "run.json").read_bytes())
    assert settings.pop("model_digest") == "scripted"
    (tmp_path / "run.json").write_bytes(msgspec.json.encode(settings))
    with pytest.raises(InputError, match="does not say which weights of scripted answered"):
        evaluate(scripted("locate"), "locate", annotations, images, tmp_path)
