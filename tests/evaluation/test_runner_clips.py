"""Runs on real clips, from their files to the report."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from locvlm import cli
from locvlm.errors import InputError
from locvlm.evaluation import ask_model, runner, tasks
from locvlm.evaluation.predictions import read_predictions
from locvlm.evaluation.scoring import score
from locvlm.evaluation.suites.run import run_suite
from locvlm.evaluation.suites.suite import Entry, find_sources
from locvlm.evaluation.task import Sources
from locvlm.inference.predictor import Predictor
from locvlm.media import clips
from locvlm.media.clips import Clip
from locvlm.models.load import Loaded
from tests.evaluation.conftest import Scripted
from tests.evaluation.tasks import official

pytest.importorskip("av")

from tests.clip_files import write_clip

COLOURS = {"a": (0, 0, 0), "b": (255, 255, 255)}


def filmed(path: Path, name: str, codec: str = "libx264") -> Path:
    """A clip of one colour, 64 x 48."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (64, 48), COLOURS[name])
    return write_clip(path, codec, count=10, picture=lambda number: picture)


def animated(path: Path, name: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    first, second = (Image.new("RGB", (64, 48), colour) for colour in (COLOURS[name], (9, 99, 200)))
    first.save(path, save_all=True, append_images=[second], duration=100)
    return path


def activitynet_qa(folder: Path) -> Sources:
    questions, answers = folder / "test_q.json", folder / "test_a.json"
    rows = [("v_a_1", "a"), ("v_b_1", "b"), ("v_a_2", "a"), ("v_c_1", "c")]
    questions.write_text(
        json.dumps([{"question_id": id, "video_name": v, "question": f"{id}?"} for id, v in rows])
    )
    answers.write_text(
        json.dumps([{"question_id": id, "answer": f"{id}!", "type": 3} for id, _ in rows])
    )
    filmed(folder / "clips" / "v_a.mkv", "a")
    filmed(folder / "clips" / "v_b.mp4", "b")
    return Sources({"questions": questions, "annotations": answers}, videos=folder / "clips")


def msvd_qa(folder: Path) -> Sources:
    rows = [(1, 7), (2, 8), (3, 9)]
    path = folder / "test_qa.json"
    path.write_text(
        json.dumps(
            [{"id": n, "video_id": v, "question": f"{n}?", "answer": f"{n}!"} for n, v in rows]
        )
    )
    filmed(folder / "clips" / "vid7.avi", "a", "mpeg4")
    filmed(folder / "clips" / "vid8.webm", "b", "libvpx")
    return Sources({"questions": path}, videos=folder / "clips")


def tgif_qa(folder: Path) -> Sources:
    path = folder / "Test_frameqa_question.csv"
    path.write_text(
        "gif_name\tquestion\tanswer\ttype\tvid_id\n"
        "a\tF1?\tF1!\t0\tF1\nb\tF2?\tF2!\t1\tF2\nc\tF3?\tF3!\t1\tF3\n"
    )
    animated(folder / "clips" / "a.gif", "a")
    animated(folder / "clips" / "b.gif", "b")
    return Sources({"questions": path}, videos=folder / "clips")


def hal_act(folder: Path) -> Sources:
    rows = [
        {"video": name, "present": ["dog", "cat"], "absent": ["bus", "cup"]}
        for name in ("v_a.mp4", "sub/v_b.mp4", "c.mp4")
    ]
    path = official.lines(folder / "labels.jsonl", rows)
    filmed(folder / "clips" / "v_a.mp4", "a")
    animated(folder / "clips" / "sub" / "v_b.gif", "b")
    return Sources({"annotations": path}, videos=folder / "clips")


TASKS = (activitynet_qa, msvd_qa, tgif_qa, hal_act)
Make = Callable[[Path], Sources]


def named(make: Make) -> str:
    return make.__name__.replace("_", "-")  # type: ignore[attr-defined]


def oracle(task: str, sources: Sources, frames: int | None = 3) -> Scripted:
    """Knows the answer to each question about the clip that it is shown."""
    model = Scripted({}, lambda question, ideal: ideal)
    model.frames = frames
    for question in tasks.load(task, sources, seed=0, options={}):
        colour = COLOURS["b" if question.image.startswith(("v_b", "vid8", "b", "sub")) else "a"]
        asked = question.instruction
        model.answers.setdefault(colour, {})[asked.question] = asked.answer
    return model


@pytest.mark.parametrize("make", TASKS, ids=named)
def test_an_oracle_that_sees_the_clips(make: Make, tmp_path: Path) -> None:
    task, sources = named(make), make(tmp_path)
    model, out = oracle(task, sources), tmp_path / "out"
    result = runner.evaluate(model, task, sources, out)
    assert result["scores"]["accuracy"]["value"] == 1
    assert result["pictures"] == 2
    assert result["skipped"] == {"clips whose file is missing": 1}
    assert result["decoding"] == {"method": "scripted", "frames": 3}
    assert "cut" not in result
    report = (out / "report.md").read_text()
    assert "about 2 clips" in report
    assert "- Clips skipped, clips whose file is missing: 1" in report
    with Image.open(out / "pictures" / "01-hit.jpg") as sheet:
        assert sheet.size == (4 * 64 + 3 * 4, 48)  # four frames beside each other
    rows = read_predictions(out / "predictions.jsonl")
    assert rows[0].frame == model.frame((64, 48))
    again = score(task, out / "predictions.jsonl", sources, tmp_path / "again")
    assert again == result


def test_a_model_of_pictures(tmp_path: Path) -> None:
    sources = tgif_qa(tmp_path)
    model = oracle("tgif-qa", sources, None)
    with pytest.raises(InputError) as caught:
        runner.evaluate(model, "tgif-qa", sources, tmp_path / "out")
    assert str(caught.value) == (
        "task tgif-qa is about clips, and scripted reads pictures; use a model that reads clips, "
        "such as tiny-video"
    )
    assert not (tmp_path / "out").exists()


def test_broken_clips_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources, out = activitynet_qa(tmp_path), tmp_path / "out"
    whole, broken = tmp_path / "whole.mp4", tmp_path / "clips" / "v_b.mp4"
    shutil.copy(broken, whole)
    broken.write_bytes(b"no clip")
    model = oracle("activitynet-qa", sources)
    result = runner.evaluate(model, "activitynet-qa", sources, out)
    assert (result["questions"], result["pictures"], result["unanswered"]) == (2, 1, 1)
    assert result["skipped"] == {"clips whose file is missing": 1, "clips that cannot be read": 1}
    assert "not a readable clip" in result["unreadable"]["v_b.mp4"]
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"skipped: {broken}: not a readable clip")
    assert "- Clips skipped, clips that cannot be read: 1" in (out / "report.md").read_text()
    assert score("activitynet-qa", out / "predictions.jsonl", sources, tmp_path / "x") == result

    again = runner.evaluate(model, "activitynet-qa", sources, out)
    assert (again, len(model.asked)) == (result, 1)

    broken.unlink()  # its question goes with it; the two answers count
    asked = len(model.asked)
    result = runner.evaluate(model, "activitynet-qa", sources, out)
    assert (result["questions"], len(model.asked)) == (2, asked)
    assert "unreadable" not in result

    shutil.copy(whole, broken)
    result = runner.evaluate(model, "activitynet-qa", sources, out)
    assert (result["questions"], len(model.asked)) == (3, asked + 2)  # what is asked together
    assert result["skipped"] == {"clips whose file is missing": 1}


def test_a_clip_that_breaks_when_it_is_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = activitynet_qa(tmp_path)
    model = oracle("activitynet-qa", sources)

    def open_clip(path: Path, frames: int) -> Clip:
        if path.name == "v_b.mp4":
            raise InputError(f"{path}: has frames of several sizes")
        return clips.open_clip(path, frames)

    monkeypatch.setattr(ask_model, "open_clip", open_clip)
    result = runner.evaluate(model, "activitynet-qa", sources, tmp_path / "out")
    assert result["questions"] == 2
    assert "several sizes" in result["unreadable"]["v_b.mp4"]


def test_no_clip_can_be_read(tmp_path: Path) -> None:
    sources = activitynet_qa(tmp_path)
    for path in (tmp_path / "clips").iterdir():
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"v_a\.mkv: .*; so are 1 more: nothing that can be asked"):
        runner.evaluate(
            oracle("activitynet-qa", sources), "activitynet-qa", sources, tmp_path / "out"
        )


def test_a_clip_that_ends_early_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = msvd_qa(tmp_path)
    rng = np.random.default_rng(0)

    def noise(number: int) -> Image.Image:
        pixels = rng.integers(0, 256, (48, 64, 3), np.uint8)
        pixels[:16, :16] = COLOURS["a"]
        return Image.fromarray(pixels)

    path = tmp_path / "clips" / "vid7.avi"
    write_clip(path, "mjpeg", pixels="yuvj420p", picture=noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    result = runner.evaluate(oracle("msvd-qa", sources), "msvd-qa", sources, tmp_path / "out")
    assert result["cut"] == ["vid7.avi"]
    assert "vid7.avi: is damaged or ends early; only what" in capsys.readouterr().err
    assert [row.cut for row in read_predictions(tmp_path / "out" / "predictions.jsonl")] == [
        *(True, False)
    ]
    report = (tmp_path / "out" / "report.md").read_text()
    assert "- Clips that are damaged or end early, seen as far as they go: 1" in report


def test_a_model_that_reads_clips(
    video_model: Loaded,
    tmp_path: Path,
) -> None:
    """A tiny one, untrained: its answers are words, the same however many clips go together."""
    sources = hal_act(tmp_path)
    loaded = video_model
    results = []
    for at_once in (64, 1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ask_model, "FRAMES_AT_ONCE", at_once)
            model = Predictor(loaded.model, loaded.processor, loaded.coordinates, name="small")
            out = tmp_path / f"out-{at_once}"
            results.append(runner.evaluate(model, "hal-act", sources, out, method="choice"))
    assert results[0] == results[1]
    assert results[0]["questions"] == 8
    assert results[0]["decoding"]["frames"] == 3


def entry(make: Make, **settings: Any) -> Entry:
    return Entry("mine", named(make), {"annotations": "labels.jsonl"}, **settings)


def test_a_suite_with_clips(tmp_path: Path) -> None:
    model = oracle("hal-act", hal_act(tmp_path))
    with pytest.raises(InputError, match="no .*movies"):
        find_sources(entry(hal_act, videos="movies"), tmp_path)
    suite = [entry(hal_act, videos=["movies", "clips"])]
    done = run_suite(model, suite, tmp_path, tmp_path / "out")
    assert done.scores["mine"]["scores"]["accuracy"]["value"] == 1
    assert 'href="mine/report.html"' in done.page.read_text()


def test_a_suite_leaves_clips_out_for_a_model_of_pictures(tmp_path: Path) -> None:
    model = oracle("hal-act", hal_act(tmp_path), None)
    with pytest.raises(InputError, match="nothing of the suite can be run; mine: .* about clips"):
        run_suite(model, [entry(hal_act, videos="clips")], tmp_path, tmp_path / "out")


def test_questions_about_clips_that_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hal_act(tmp_path)
    flags = ["--annotations", str(tmp_path / "labels.jsonl"), "--videos", str(tmp_path / "clips")]
    out = str(tmp_path / "questions.jsonl")
    assert cli.main(["questions", "hal-act", *flags, "--out", out]) == 0
    assert capsys.readouterr().out.startswith("8 questions")
    assert cli.main(["eval", "--list"]) == 0
    assert "--videos the clips" in capsys.readouterr().out
