import msgspec
import pytest

from locvlm.errors import InputError
from locvlm.evaluation.suites.run import run_suite
from locvlm.evaluation.suites.suite import Entry
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
    assert rows[0] == "| data | score | one | two | Someone (published) |"
    [iou] = [row for row in rows if "mean IoU" in row]
    assert iou.endswith("| 12.5 |")
    assert rows[-1] == f"- not run, elsewhere: no {tmp_path / 'none.json'}"
    assert "two" in (out / "where" / "report.html").read_text()
    assert 'href="where/report.html"' in outcome.page.read_text()


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
