import re
from dataclasses import replace

from PIL import Image

from locvlm.annotations.base import Object
from locvlm.evaluation import tasks
from locvlm.evaluation.intervals import Score, mean, rate
from locvlm.evaluation.reports.report import format_interval, format_value
from locvlm.geometry import Box
from tests.evaluation.running import evaluate, score


def as_json(score):
    return {name: getattr(score, name) for name in score.__slots__}


def test_figures():
    assert format_value(as_json(rate([]))) == format_interval(as_json(rate([]))) == "–"
    assert format_value(as_json(rate([True, False]))) == "50.0 %"
    assert format_interval(as_json(rate([True] * 5 + [False] * 5))) == "23.7 % … 76.3 %"
    assert format_value(as_json(mean([0.25, 0.5]))) == "0.375"
    points = as_json(Score(2.5, 2.0, 3.0, 9, "points"))
    assert (format_value(points), format_interval(points)) == ("2.500", "2.000 … 3.000")


def test_report_shows_hits_misses_and_all_scores(annotations, images, tmp_path, scripted):
    def script(question, ideal):
        known = {"dog", "cat"}.isdisjoint(question.split())
        return ideal if known else "*no* | idea\n# at all"

    result = evaluate(scripted("locate", script), "locate", annotations, images, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert r"- Answered: \*no\* \| idea \# at all" in text
    assert "- Data: small.json, seed 0" in text
    assert text.count("### Hit") + text.count("### Miss") == 8
    assert text.count("### Miss") == 4
    shown = re.findall(r"\(pictures/(.*?)\)", text)
    assert sorted(shown) == sorted(path.name for path in (tmp_path / "pictures").iterdir())
    for name in shown:
        Image.open(tmp_path / "pictures" / name).verify()
    for name, figures in result["scores"].items():
        label = name.rpartition("/")[2]
        label = f"**{label}**" if name in tasks.get("locate").headlines else label
        assert (
            f"| {label} | {format_value(figures)} | {format_interval(figures)} | {figures['n']} |"
            in text
        )


def test_report_without_pictures(annotations, images, tmp_path, scripted):
    evaluate(scripted("describe"), "describe", annotations, images, tmp_path / "a")
    score("describe", tmp_path / "a" / "predictions.jsonl", annotations, tmp_path / "b")
    assert "## Examples" not in (tmp_path / "b" / "report.md").read_text()
    assert not (tmp_path / "b" / "pictures").exists()


def test_a_picture_that_broke_since_ends_no_report(annotations, images, tmp_path, scripted):
    evaluate(scripted("describe"), "describe", annotations, images, tmp_path / "a")
    (images / "1.png").write_bytes(b"")
    # Its answers are kept
    result = evaluate(scripted("describe"), "describe", annotations, images, tmp_path / "a")
    assert result["pictures"] == 3
    text = (tmp_path / "a" / "report.md").read_text()
    assert "(cannot be shown: " in text
    assert "the file is empty" in text
    assert "![" in text


def test_pictures_of_an_earlier_report_are_replaced(annotations, images, tmp_path, scripted):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "99-hit.jpg").write_bytes(b"old")
    evaluate(scripted("describe"), "describe", annotations, images, tmp_path)
    names = [path.name for path in (tmp_path / "pictures").iterdir()]
    assert "99-hit.jpg" not in names
    assert len(names) == 10


def test_reports_say_what_was_left_out(annotations, images, tmp_path, scripted):
    flat, wide = Object("dog", Box(5, 5, 5, 9)), Object("cup", Box(200, 200, 500, 400))
    first, *rest = annotations.images
    first = replace(first, objects=(*first.objects, flat, wide))
    annotations = replace(annotations, images=(first, *rest))
    evaluate(scripted("hal-coco"), "hal-coco", annotations, images, tmp_path, limit=1)
    text = (tmp_path / "report.md").read_text()
    assert "- Left out on reading, boxes without area: 1" in text
    assert "- Changed on reading, boxes clipped to the picture: 1" in text
    assert "- Pictures skipped, fewer than 2 categories present: 1" in text
    assert "; asked: 1 of 2 pictures, a seeded sample" in text
    assert "questions without an answer" not in text
