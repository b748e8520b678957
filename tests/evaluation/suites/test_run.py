from dataclasses import replace

import msgspec
import pytest

from locvlm.errors import InputError
from locvlm.evaluation.suites.page import write_pages
from locvlm.evaluation.suites.run import name_folder, run_suite
from locvlm.evaluation.suites.suite import Entry, read_suite
from tests.evaluation.running import written

SUITE = [
    Entry(
        "where",
        "locate",
        {"annotations": "annotations/small.json"},
        "images",
        published={"mean IoU": {"Someone": 12.5}},
    ),
    Entry("what", "describe", {"annotations": "annotations/small.json"}, "images"),
    Entry("elsewhere", "locate", {"annotations": "none.json"}, "images"),
]


def test_all_that_is_there(annotations, images, tmp_path, scripted):
    written(annotations, tmp_path / "annotations")
    out = tmp_path / "out"
    for name in ("one", "two"):
        for entry in SUITE[:2]:  # a scripted model knows the answers to one task
            model = scripted(entry.task)
            model.name = name
            outcome = run_suite(model, [entry, SUITE[2]], tmp_path, out)
            assert set(outcome.scores) == {entry.name}
            assert outcome.absent == {"elsewhere": f"no {tmp_path / 'none.json'}"}
    model = scripted("locate")
    model.name = "one"
    outcome = run_suite(model, SUITE, tmp_path, out)  # all is there: nothing is asked
    assert model.asked == []
    assert outcome.page.read_text().count("<tr>") == 1 + 3 + 2
    rows = (out / "suite.md").read_text().splitlines()
    assert rows[0] == "| data | score | one | two | published |"
    [iou] = [row for row in rows if "mean IoU" in row]
    assert iou.endswith("| Someone 12.5 |")
    assert rows[-1] == f"- not run, elsewhere: no {tmp_path / 'none.json'}"
    assert "two" in (out / "where" / "report.html").read_text()
    assert 'href="where/report.html"' in outcome.page.read_text()


@pytest.mark.parametrize("limit", [None, 1])
def test_models_named_by_paths_have_one_folder_each(annotations, images, tmp_path, scripted, limit):
    """Also if an entry's runs cannot be held against each other, as with other limits."""
    written(annotations, tmp_path / "annotations")
    own = tmp_path / "runs" / "b" / "model"
    folders = set()
    for name, most in (("runs/a/model", None), (str(own), limit), ("org/name", limit)):
        model = scripted("locate")
        model.name = name
        run_suite(model, SUITE[:1], tmp_path, tmp_path / "out", limit=most)
        folders.add(name_folder(name))
        assert (tmp_path / "out" / name_folder(name) / "where" / "scores.json").exists()
    assert {"runs--a--model", "org--name"} < folders
    assert not own.exists()
    heads = (tmp_path / "out" / "suite.md").read_text().splitlines()[0]
    assert all(f"| {folder} |" in heads for folder in folders)


def test_a_model_above_is_not_mistaken_for_one_below():
    assert len({name_folder(name) for name in ("m", "../m", "a/m", "a-m")}) == 4
    assert name_folder("..") and name_folder(".")


def test_a_score_of_no_question_is_a_dash(annotations, images, tmp_path):
    none = {"value": None, "low": 0.0, "high": 1.0, "n": 0, "kind": "rate"}
    runs = {"where": {"one": {"scores": {"mean IoU": none}}}}
    write_pages(tmp_path, SUITE[:1], runs, {})
    assert "| where | mean IoU | – | Someone 12.5 |" in (tmp_path / "suite.md").read_text()


def test_zero_shot_and_supervised_figures_stand_apart(annotations, images, tmp_path, scripted):
    written(annotations, tmp_path / "annotations")
    odd = "does not follow from its own parts"
    suite = [
        msgspec.structs.replace(
            SUITE[0],
            published={
                "mean IoU": {"A": {"zero-shot": 1.5}, "B": {"zero-shot": 2, "supervised": 63}},
                "parse rate": {"B": {"supervised": 4}, "C": 5},
                "gone": {"C": 6},
            },
            notes={"mean IoU": {"B": odd}, "parse rate": {"C": "<odd>"}, "gone": {"C": odd}},
        ),
        msgspec.structs.replace(SUITE[2], published={"mean IoU": {"D": {"of none": 1}}}),
    ]
    out = tmp_path / "out"
    run_suite(scripted("locate"), suite, tmp_path, out)
    rows = (out / "suite.md").read_text().splitlines()
    assert rows[0].endswith("| published | published, zero-shot | published, supervised |")
    ends = {row.split(" | ")[1]: row.split(" | ")[3:] for row in rows if row.startswith("| where")}
    assert ends["mean IoU"] == ["–", "A 1.5, B 2 [1]", "B 63 [1] |"]
    assert ends["parse rate"] == ["C 5 [2]", "–", "B 4 |"]
    assert ends["gone"] == ["C 6 [1]", "–", "– |"]
    assert f"- [1] {odd}" in rows
    assert r"- [2] \<odd\>" in rows
    page = (out / "suite.html").read_text()
    assert f"<h2>About published figures</h2><ol><li>{odd}</li><li>&lt;odd&gt;</li></ol>" in page


def test_parts_of_a_score_follow_it_and_what_is_not_there_is_left_out(tmp_path):
    names = ("left-right/direct/accuracy", "left-right/direct/strict accuracy")
    scores = [f"{names[0]} left", f"{names[0]} right", f"{names[1]} left", *names]
    figure = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9, "kind": "rate"}
    runs = {"sides": {"one": {"scores": dict.fromkeys(scores, figure)}}}
    entry = Entry("sides", "coco-spatial", {}, published={name: {"A": 1} for name in scores})
    write_pages(tmp_path, [entry], runs, {})
    rows = (tmp_path / "suite.md").read_text().splitlines()[2:-1]
    assert [row.split(" | ")[1] for row in rows] == [
        names[0],
        *(f"{names[0]} {side}" for side in ("left", "right")),
        names[1],
        f"{names[1]} left",
    ]


def test_runs_with_other_limits_get_pages_of_their_own(annotations, images, tmp_path, scripted):
    written(annotations, tmp_path / "annotations")
    for name, limit in (("one", None), ("two", 1)):
        model = scripted("locate")
        model.name = name
        run_suite(model, SUITE[:1], tmp_path, tmp_path / "out", limit=limit)
    page = (tmp_path / "out" / "where" / "report.html").read_text()
    assert "two" in page
    assert "<th>one</th>" not in page


def test_each_entry_may_have_a_limit_of_its_own(annotations, images, tmp_path, scripted):
    written(annotations, tmp_path / "annotations")
    suite = [SUITE[0], msgspec.structs.replace(SUITE[0], name="again")]
    outcome = run_suite(scripted("locate"), suite, tmp_path, tmp_path / "out", limit={"where": 1})
    assert outcome.scores["where"]["pictures"] == 1
    assert outcome.scores["again"]["pictures"] == 3


def test_nothing_there(annotations, images, tmp_path, scripted):
    with pytest.raises(InputError, match=r"can be run; where: no .*small\.json"):
        run_suite(scripted("locate"), SUITE, tmp_path / "none", tmp_path / "out")
    with pytest.raises(InputError, match="the suite: it is empty"):
        run_suite(scripted("locate"), [], tmp_path, tmp_path / "out")


def test_scores_of_the_model_before_are_not_shown(annotations, images, tmp_path, scripted):
    written(annotations, tmp_path / "annotations")
    out = tmp_path / "out"
    run_suite(scripted("locate"), SUITE[:1], tmp_path, out)
    model = scripted("locate")
    model.digest = "trained anew"
    again = msgspec.structs.replace(SUITE[0], name="again")
    outcome = run_suite(model, [SUITE[0], again], tmp_path, out)
    assert "the model has changed since" in outcome.absent["where"]
    rows = (out / "suite.md").read_text().splitlines()
    assert not [row for row in rows if row.startswith("| where |")]
    assert [row for row in rows if row.startswith("| again |")]


def test_one_data_set_for_all_tasks_of_a_suite(annotations, images, tmp_path, scripted):
    """What does not fit is named with its reason, and stops no other."""
    alone = replace(annotations, images=annotations.images[2:])  # one object
    sources = written(alone, tmp_path / "annotations", images)
    entries = [*read_suite("location"), Entry("true", "vsr", {"questions": "q.jsonl"})]
    outcome = run_suite(scripted("locate"), entries[:1] + entries[2:], sources, tmp_path / "out")
    assert set(outcome.scores) == {"locate"}
    assert set(outcome.absent) == {"coco-spatial", "hal-coco", "true"}
    assert "fewer than 3 clear-sided single objects: 1" in outcome.absent["coco-spatial"]
    assert "tasks that fit" not in outcome.absent["coco-spatial"]
    assert outcome.absent["true"] == "vsr does not ask about detection annotations alone"
    with pytest.raises(InputError, match=r"small\.json: nothing of the suite can be run"):
        run_suite(scripted("locate"), entries[2:3], sources, tmp_path / "out")


@pytest.mark.parametrize("name", ["../../../x", "/tmp/x", "..\\x", "."])
def test_an_entry_writes_nothing_outside(annotations, images, tmp_path, scripted, name):
    written(annotations, tmp_path / "annotations")
    before = {path for path in tmp_path.rglob("*") if "out" not in path.parts}
    entry = msgspec.structs.replace(SUITE[0], name=name)
    with pytest.raises(InputError, match="leads out of"):
        run_suite(scripted("locate"), [entry], tmp_path, tmp_path / "a" / "out")
    assert {path for path in tmp_path.rglob("*") if "out" not in path.parts} == before
    file = tmp_path / "suite.yaml"
    file.write_bytes(msgspec.yaml.encode([entry]))
    with pytest.raises(InputError, match="suite.yaml: the name .* leads out of"):
        read_suite(str(file))


def test_links_in_the_folder_of_the_runs(annotations, images, tmp_path, scripted):
    written(annotations, tmp_path / "annotations")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    model = scripted("locate")
    (tmp_path / "out" / name_folder(model.name)).mkdir(parents=True)
    (tmp_path / "out" / name_folder(model.name) / "where").symlink_to(elsewhere)
    with pytest.raises(InputError, match="a link on its way leads out"):
        run_suite(model, SUITE[:1], tmp_path, tmp_path / "out")
    assert not list(elsewhere.iterdir())
