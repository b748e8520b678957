import json
from pathlib import Path

import pytest
from PIL import Image, ImageColor

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.evaluation import runner, scoring, tasks
from locvlm.evaluation.reports.comparison import write_comparison
from locvlm.evaluation.reports.illustrations import TRUE_COLOUR, illustrate
from locvlm.evaluation.run_files import read_scored
from locvlm.evaluation.task import AnswerContext, ScoredAnswer, Sources
from locvlm.evaluation.tasks import coco_spatial_released as released
from locvlm.geometry import Frame
from tests.evaluation.questions.test_separate_pairs import a_file, written

TASK = "coco-spatial-released"
PHOTO = "COCO_val2014_000000000042.jpg"
READING = AnswerContext(coordinates.get("ivb", bins=224), Frame.identity((100, 100)), ())


def asked(folder: Path, *, images=None, file="questions", **options):
    """The questions of one of the files in `folder`."""
    sources = Sources({file: folder}, images)
    settings = tasks.resolve_options(tasks.get(TASK), options)
    return tasks.load(TASK, sources, seed=0, options=settings)


def up_down() -> dict:
    data = a_file()
    data["data"]["42"]["annotations"].reverse()
    return data


def detections() -> dict:
    """The same objects, as COCO has them."""
    data = a_file()
    (picture,) = data["data"].values()
    return {
        "categories": data["categories"],
        "images": [{"id": 42, "file_name": PHOTO, "width": 100, "height": 100}],
        "annotations": [{**item, "image_id": 42} for item in picture["annotations"]],
    }


def test_left_and_right_and_turned_in_the_mirror(tmp_path):
    one, mirrored = asked(written(tmp_path / "coco_spatial.json", a_file()))
    assert (one.id, one.image, one.size) == ("42/left-right/original/dog>cat", PHOTO, (100, 100))
    assert one.instruction.question == "Which side of the dog is the cat?"
    assert one.choices == (
        "The cat is on the left side of the dog.",
        "The cat is on the right side of the dog.",
    )
    assert (one.expected, one.instruction.answer) == ("right", one.choices[1])
    assert mirrored.id == "42/left-right/mirrored/dog>cat"
    assert mirrored.instruction.question == one.instruction.question
    assert mirrored.choices == one.choices
    assert (mirrored.expected, mirrored.instruction.answer) == ("left", one.choices[0])
    assert (one.mirrored, mirrored.mirrored) == (False, True)


def test_marks_are_in_the_pixels_of_the_view(tmp_path):
    one, mirrored = asked(written(tmp_path / "coco_spatial.json", a_file()))
    assert [(m.label, m.coords) for m in one.marks] == [
        ("dog", (10, 60, 30, 80)),
        ("cat", (50, 20, 70, 40)),
    ]
    assert [(m.label, m.coords) for m in mirrored.marks] == [
        ("dog", (70, 60, 90, 80)),
        ("cat", (30, 20, 50, 40)),
    ]


def test_above_and_below_in_both_orders_not_turned_in_the_mirror(tmp_path):
    questions = asked(written(tmp_path / "coco_up_down.json", up_down()))
    assert {q.id: q.expected for q in questions} == {
        "42/above-below/original/cat>dog": "below",
        "42/above-below/original/dog>cat": "above",
        "42/above-below/mirrored/cat>dog": "below",
        "42/above-below/mirrored/dog>cat": "above",
    }
    one = questions.questions[0]
    assert one.instruction.question == "Where is the dog relative to the cat?"
    assert one.choices == ("The dog is above the cat.", "The dog is below the cat.")
    assert one.instruction.answer == one.choices[1]


def test_a_folder_with_both_is_as_the_annotations_by_the_same_rule(tmp_path):
    written(tmp_path / "coco_spatial.json", a_file())
    written(tmp_path / "coco_up_down.json", up_down())
    both = asked(tmp_path)
    same = asked(written(tmp_path / "instances.json", detections()), file="annotations")
    assert sorted(both, key=lambda q: q.id) == sorted(same, key=lambda q: q.id)
    assert len(both) == 6
    one = asked(tmp_path / "instances.json", file="annotations", axis="above-below")
    assert {q.meta["axis"] for q in one} == {"above-below"}


def test_pictures_under_their_newer_name_and_missing_ones(tmp_path):
    data = a_file()
    data["data"]["43"] = {**data["data"]["42"], "file_name": "COCO_val2014_000000000043.jpg"}
    path = written(tmp_path / "coco_spatial.json", data)
    seen = tmp_path / "seen"
    seen.mkdir()
    with pytest.raises(InputError, match="000000000042"):
        asked(path, images=seen)
    Image.new("RGB", (100, 100)).save(seen / "000000000042.jpg")
    questions = asked(path, images=seen)
    assert {q.image for q in questions} == {"000000000042.jpg"}
    assert sum(questions.skipped.values()) == 1


def test_pairs_about_one_of_several_are_left_out(tmp_path):
    data = a_file()
    items = data["data"]["42"]["annotations"]
    items.append({**items[0], "bbox": [80, 60, 5, 5]})
    data["data"]["43"] = {**a_file()["data"]["42"], "file_name": "43.jpg"}
    questions = asked(written(tmp_path / "coco_spatial.json", data))
    assert questions.skipped == {released.AMBIGUOUS: 1}
    assert {q.image for q in questions} == {"43.jpg"}


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({}, {}, "needs one of --questions .* and --annotations"),
        ({"questions": ".", "annotations": "a.json"}, {}, "needs one of --questions"),
        ({"questions": "."}, {}, r"has neither coco_spatial\.json nor coco_up_down\.json"),
        ({"questions": "a.json"}, {"axis": "up"}, "option axis: 'up' is unknown; give one of any"),
        ({"questions": "twice"}, {}, "both files are of left-right; give one of them"),
        (
            {"questions": "none.json"},
            {},
            "no question for coco-spatial-rel.*without good_pairs",
        ),
    ],
)
def test_what_cannot_be_asked(tmp_path, files, options, message):
    written(tmp_path / "a.json", a_file())
    nothing = a_file()
    del nothing["data"]["42"]["good_pairs"]
    written(tmp_path / "none.json", nothing)
    (tmp_path / "twice").mkdir()
    for name in released.RELEASED:
        written(tmp_path / "twice" / name, a_file())
    sources = Sources({flag: tmp_path / name for flag, name in files.items()})
    settings = tasks.resolve_options(tasks.get(TASK), options)
    with pytest.raises(InputError, match=message):
        tasks.load(TASK, sources, seed=0, options=settings)


def test_the_form_of_annotations_is_for_annotations(tmp_path):
    sources = Sources({"questions": written(tmp_path / "a.json", a_file())}, reader="coco")
    with pytest.raises(InputError, match="--from and --boxes are about --annotations"):
        tasks.load(TASK, sources, seed=0, options={})


@pytest.mark.parametrize(
    ("answer", "paper", "strict"),
    [("To the right.", True, True), ("left or right", True, False), ("left", False, False)],
)
def test_scores(tmp_path, answer, paper, strict):
    question, _ = asked(written(tmp_path / "coco_spatial.json", a_file()))
    outcome = released.score(question, answer, READING)
    assert outcome.values == {"accuracy": paper, "strict accuracy": strict}
    assert outcome.hit == strict


def rows_of(questions, answer):
    return [
        ScoredAnswer(
            q.id, q.image, "", answer(q), q.expected, dict(q.meta), (), outcome.hit, outcome.values
        )
        for q in questions
        for outcome in [released.score(q, answer(q), READING)]
    ]


@pytest.mark.parametrize("times", [1, 2])  # a draw of `locvlm compare` may have a picture twice
def test_who_always_says_right_is_right_in_one_view(tmp_path, times):
    rows = rows_of(asked(written(tmp_path / "coco_spatial.json", a_file())), lambda q: "right")
    scores = released.summarize(rows * times, seed=0)
    values = {name: s.value for name, s in scores.items() if s.n and "strict" not in name}
    assert values == {
        "left-right/accuracy": 0.5,
        "left-right/accuracy left": 0,
        "left-right/accuracy right": 1,
        "left-right/original/accuracy": 1,
        "left-right/mirrored/accuracy": 0,
        "left-right/both views/accuracy": 0,
    }
    assert scores["left-right/both views/accuracy"].n == times


def test_the_headlines_are_scores():
    assert set(tasks.get(TASK).headlines) <= set(released.summarize([], seed=0))


class Looking:
    """Knows the dog by its red and the cat by its blue, and answers from where they are."""

    name = digest = "looking"
    at_once, frames = 32, None
    decoding = {"method": "looking"}  # noqa: RUF012
    coordinates = coordinates.get("ivb", bins=224)

    def frame(self, size):
        return Frame.resize(size, 224)

    def answer_all(self, queries):
        return [[self.look(image, prompt) for prompt in prompts] for image, prompts in queries]

    def choose_all(self, queries, choices):
        given = iter(choices)
        return [
            [next(text for text in next(given) if said in text) for said in answers]
            for answers in self.answer_all(queries)
        ]

    def look(self, image, prompt):
        dog, cat = (image.getchannel(band).getbbox() for band in ("R", "B"))
        if prompt.startswith("Which"):
            return "right" if cat[0] > dog[0] else "left"
        first, second = (dog, cat) if "is the dog" in prompt else (cat, dog)
        return "above" if first[1] < second[1] else "below"


def photo(folder: Path) -> Path:
    folder.mkdir()
    image = Image.new("RGB", (100, 100))
    image.paste((255, 0, 0), (10, 60, 30, 80))
    image.paste((0, 0, 255), (50, 20, 70, 40))
    image.save(folder / PHOTO, "PNG")
    return folder


@pytest.mark.parametrize("method", ["generate", "choice"])
def test_a_model_that_looks_is_right_in_both_views(tmp_path, method):
    written(tmp_path / "coco_spatial.json", a_file())
    written(tmp_path / "coco_up_down.json", up_down())
    sources, out = Sources({"questions": tmp_path}, photo(tmp_path / "images")), tmp_path / "out"
    result = runner.evaluate(Looking(), TASK, sources, out, method=method, limit=1)
    assert (result["questions"], result["pictures"]) == (6, 1)
    assert result["options"] == {"axis": "any"}
    assert {score["value"] for score in result["scores"].values()} == {1}
    again = scoring.score(TASK, out / "predictions.jsonl", sources, tmp_path / "again")
    assert again["scores"] == result["scores"]
    assert "(mirrored)" in (out / "report.md").read_text()
    assert runner.evaluate(Looking(), TASK, sources, out, method=method, limit=1) == result


def test_reports_draw_on_the_view(tmp_path):
    """The frame of each box lies about its colour, in the original as in the mirrored picture."""
    written(tmp_path / "coco_spatial.json", a_file())
    images = photo(tmp_path / "images")
    sources = Sources({"questions": tmp_path / "coco_spatial.json"}, images)
    runner.evaluate(Looking(), TASK, sources, tmp_path / "out")
    for row in read_scored(tmp_path / "out"):
        marks = [mark for mark in row.marks if mark.label == "cat"]
        drawn = illustrate(images / PHOTO, marks, None, mirrored=row.mirrored)
        x1, y1, x2, y2 = map(int, marks[0].coords)
        assert drawn.getpixel((x1 + 10, y1 + 10)) == (0, 0, 255)
        assert drawn.getpixel((x1, y2 - 3)) == ImageColor.getrgb(TRUE_COLOUR)
        assert drawn.getpixel((x2 - 1, y2 - 3)) == ImageColor.getrgb(TRUE_COLOUR)


def test_a_comparison_says_which_views_are_mirrored(tmp_path):
    sources = Sources(
        {"questions": written(tmp_path / "coco_spatial.json", a_file())}, photo(tmp_path / "images")
    )
    runner.evaluate(Looking(), TASK, sources, tmp_path / "out")
    runs = {"looking": {TASK: tmp_path / "out"}}
    page = write_comparison(runs, sources.images, tmp_path).read_text()
    assert page.count("(mirrored image)") == 1


def test_other_tools_are_told_of_the_mirror(tmp_path):
    from locvlm import cli

    path, out = written(tmp_path / "coco_spatial.json", a_file()), tmp_path / "questions.jsonl"
    assert cli.main(["questions", TASK, "--questions", str(path), "--out", str(out)]) == 0
    original, mirrored = map(json.loads, out.read_text().splitlines())
    assert "mirrored" not in original
    assert mirrored["mirrored"] is True
