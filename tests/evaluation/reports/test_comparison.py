import base64
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO

import msgspec
import pytest
from PIL import Image

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.intervals import Score
from locvlm.evaluation.reports.comparison import (
    format_place,
    write_comparison,
    write_comparison_page,
)
from locvlm.evaluation.reports.comparison_page import format_apart, render_page
from locvlm.evaluation.reports.illustrations import MODEL_COLOURS
from locvlm.evaluation.reports.paired import compare_runs
from tests.evaluation.running import DETECTION, evaluate

VOID = {"meta", "br", "img"}


class Balance(HTMLParser):
    """Fails where tags do not close in turn."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def runs(annotations, images, tmp_path, scripted):
    """A control that knows nothing and an oracle, on all tasks."""
    folders = {}
    for name, script in (("control", lambda q, a: "<b>No</b> left"), ("oracle", lambda q, a: a)):
        for task in DETECTION:
            model = scripted(task, script)
            model.name = name
            folder = tmp_path / name / task
            evaluate(model, task, annotations, images, folder)
            folders.setdefault(name, {})[task] = folder
    return folders


def test_one_file_that_holds_everything(runs, images, tmp_path):
    credits = {"1.png": "A & B, CC BY 2.0"}
    path = write_comparison(runs, images, tmp_path / "report", credits)
    assert path == tmp_path / "report" / "report.html"
    assert list(path.parent.iterdir()) == [path]
    text = path.read_text()
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert "Photo: A &amp; B, CC BY 2.0" in text
    assert "&lt;b&gt;No&lt;/b&gt; left" in text
    assert "<b>No" not in text
    assert "http" not in text
    for task in DETECTION:
        assert tasks.get(task).title in text


def test_pictures_are_inside(runs, images, tmp_path):
    text = write_comparison(runs, images, tmp_path / "report").read_text()
    pictures = re.findall(r'src="data:image/jpeg;base64,(.*?)"', text)
    # four examples a task, one picture each: the boxes of all models are in it
    assert len(pictures) == 4 + 4 + 4 + 4
    for data in pictures:
        Image.open(BytesIO(base64.b64decode(data))).verify()
    assert "src=" not in text.replace('src="data:image', "")


def test_pictures_that_broke_since_are_not_drawn(runs, images, tmp_path, capsys):
    whole = write_comparison(runs, images, tmp_path / "report").read_text()
    (images / "1.png").write_bytes(b"")
    text = write_comparison(runs, images, tmp_path / "report").read_text()
    count = "data:image/jpeg"
    assert 0 < text.count(count) < whole.count(count)
    assert text.count('<figure class="example">') == whole.count('<figure class="example">')
    assert "not drawn: " in capsys.readouterr().err


def test_only_differences_whose_interval_leaves_out_0_are_marked(runs, images, tmp_path):
    text = write_comparison(runs, images, tmp_path / "report").read_text()
    sign = 'title="higher">'
    cells = re.findall(r"<tr><th>([^<]*)</th><td>(.*?)</td><td>(.*?)</td></tr>", text, re.DOTALL)
    signed = {name for name, _, cell in cells if sign in cell}
    assert {"mean IoU", "parse rate", "strict accuracy"} <= signed
    assert all(sign not in cell for _, cell, _ in cells)  # the first model is the measure
    assert "accuracy absent" not in signed  # both say no
    lower = {name for name, *_, cell in cells if 'title="lower"' in cell}
    assert lower == {"not there rate"}  # the first model says no


def test_differences_are_those_of_compare(runs, images, tmp_path):
    text = write_comparison(runs, images, tmp_path / "report").read_text()
    for task in DETECTION:
        for score in compare_runs(runs["control"][task], runs["oracle"][task]).scores.values():
            assert format_apart(score) in text


def test_boxes_of_both_models_are_in_pixels_of_the_picture(runs, images, tmp_path, monkeypatch):
    drawn = []

    def note(path, marks, answers, **how):
        drawn.extend(answers)
        return Image.new("RGB", (4, 4))

    monkeypatch.setattr("locvlm.evaluation.reports.comparison.illustrate_answers", note)
    text = write_comparison(runs, images, tmp_path / "report").read_text()
    assert {(name, colour) for _, name, colour in drawn} == {("oracle", MODEL_COLOURS[1])}
    for found, _, _ in drawn:
        assert f"in the photo: {format_place(found)}" in text


def test_runs_on_other_questions_are_not_compared(runs, annotations, images, tmp_path, scripted):
    fewer = replace(annotations, images=annotations.images[:1])
    folder = tmp_path / "fewer"
    evaluate(scripted("locate"), "locate", fewer, images, folder)
    pair = {"control": {"locate": runs["control"]["locate"]}, "other": {"locate": folder}}
    with pytest.raises(InputError, match="other was not asked the same locate questions"):
        write_comparison(pair, images, tmp_path / "report")


def test_scores_beyond_1_have_no_bar():
    scores = {"testB/METEOR": Score(0.2, 0.1, 0.3, 9, "mean")}
    scores["testB/CIDEr"] = Score(2.5, 2.0, 3.0, 9, "points")
    result = {
        "options": {"split": "testB"},
        "questions": 9,
        "pictures": 9,
        "data": "refs(unc).p",
        "scores": msgspec.to_builtins(scores),
    }
    text = render_page("Title", {"model": {"refcoco": result}}, [])
    assert "2.500" in text
    assert text.count('class="bar"') == 1
    headlines = text[: text.index("All scores")]  # of those that the task may have, this one
    assert "testB, METEOR" in headlines
    assert "testB, CIDEr" not in headlines


def test_missing_runs(runs, images, tmp_path):
    with pytest.raises(InputError, match="at least one model"):
        write_comparison({}, images, tmp_path)
    with pytest.raises(InputError, match="compare runs of the same tasks"):
        write_comparison({"a": runs["control"], "b": {}}, images, tmp_path)
    with pytest.raises(InputError, match=r"scores\.json: cannot be read"):
        write_comparison({"a": {"locate": tmp_path / "none"}}, images, tmp_path)


def test_one_model_alone(runs, images, tmp_path):
    text = write_comparison({"oracle": runs["oracle"]}, images, tmp_path / "report").read_text()
    assert " against " not in text


def test_examples_are_optional(tmp_path):
    scores = {
        name: {"value": None, "low": 0.0, "high": 1.0, "n": 0, "kind": "rate"}
        for name in tasks.get("hal-coco").headlines
    }
    result = {"questions": 0, "pictures": 0, "data": "<x>", "options": {}, "scores": scores}
    text = write_comparison_page("A <title>", {"a": {"hal-coco": result}}, [], tmp_path).read_text()
    assert "<h1>A &lt;title&gt;</h1>" in text
    assert "photos of &lt;x&gt;" in text
    assert 'class="example' not in text


@pytest.mark.parametrize("absolute", [False, True])
def test_no_image_from_outside_of_the_folder_is_inside(
    runs, images, tmp_path, absolute, capsys: pytest.CaptureFixture
):
    (tmp_path / "secret").mkdir()
    secret = tmp_path / "secret" / "x.png"
    Image.new("RGB", (64, 64)).save(secret)
    name = str(secret) if absolute else f"{os.path.relpath(secret, images)}"
    for of in runs.values():
        path = of["locate"] / "scored.jsonl"
        rows = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
        path.write_bytes(b"".join(msgspec.json.encode(r | {"image": name}) + b"\n" for r in rows))
    only = {model: {"locate": of["locate"]} for model, of in runs.items()}
    text = write_comparison(only, images, tmp_path / "report").read_text()
    assert "data:image" not in text
    assert "leads out of" in capsys.readouterr().err
