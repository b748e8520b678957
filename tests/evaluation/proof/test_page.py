"""Terminal, JSON and page show the same figures."""

import re
from io import StringIO

import msgspec
import pytest

from locvlm.commands.prove import show
from locvlm.evaluation.proof import page as proof_page
from locvlm.evaluation.proof import wording
from locvlm.evaluation.proof.page import render_proof
from locvlm.evaluation.proof.prove import PAGE, PROOF, prove
from locvlm.evaluation.proof.structure import LEAST, Proof
from locvlm.evaluation.task import Sources
from locvlm.shown import screen
from tests.evaluation.reports.test_comparison import Balance


@pytest.fixture
def proof(runs, images, tmp_path) -> Proof:
    return prove(str(runs[0]), str(runs[1]), tmp_path / "out", Sources({}, images))


def test_the_same_on_the_terminal_in_json_and_on_the_page(proof, tmp_path, monkeypatch):
    out = StringIO()
    plain = screen.Screen
    monkeypatch.setattr(screen, "Screen", lambda **how: plain(file=out, width=400, **how))
    show(proof)
    terminal = " ".join(out.getvalue().split())
    read = msgspec.json.decode((tmp_path / "out" / PROOF).read_bytes(), type=Proof)
    page = (tmp_path / "out" / PAGE).read_text()
    plain_page = re.sub(r'<td class="[^"]*">', "<td>", page)
    for verdict in read.verdicts:
        assert verdict.sentence in terminal
        assert verdict.sentence in page
    for limit in read.limits:
        assert limit in terminal
        assert limit in page
    for task in read.tasks:
        assert wording.describe_asked(task) in terminal
        assert wording.describe_asked(task) in page
        assert wording.describe_changes(task) in terminal
        assert wording.describe_changes(task) in page
        few = [row for table in task.tables for row in table.rows if row.images < LEAST]
        shown = [*task.scores[: task.headlines], *(row for t in task.tables for row in t.rows)]
        for figure in shown:
            cells = (
                wording.format_score(figure.name) if figure in task.scores else figure.name,
                wording.format_change(figure),
                wording.format_difference(figure),
                wording.format_interval(figure),
                wording.format_sign(figure),
                str(figure.questions),
                str(figure.images),
            )
            line = " ".join(" │ ".join(cells).split())
            assert (line in terminal) is (figure not in few)
            row = "".join(f"<td>{cell}</td>" for cell in cells[1:])
            assert f"<tr><th>{cells[0]}</th>{row}" in plain_page


def test_the_page_holds_everything(proof, tmp_path):
    page = (tmp_path / "out" / PAGE).read_text()
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert "http" not in page
    assert page.count("data:image/jpeg") == sum(len(task.examples) for task in proof.tasks) > 0
    assert "another training run, with another seed" in page


def test_boxes_of_both_are_in_pixels_of_the_photo(proof, images, monkeypatch):
    drawn = {}

    def note(folder, name, marks, answers, **how):
        drawn[name] = (marks, answers)

    monkeypatch.setattr(proof_page, "draw_answers", note)
    page = render_proof(proof, images)
    locate = next(task for task in proof.tasks if task.task == "locate")
    for example in locate.examples:
        marks, answers = drawn[example.image]
        assert [mark.coords for mark in marks] == [coords for _, coords in example.truth]
        assert [name for _, name, _ in answers] == ["tuned"]
        assert f"in the photo: {proof_page.format_place(example.found[1])}" in page


def test_what_models_say_is_escaped(proof):
    bad = msgspec.structs.replace(
        proof, base="<b>base", left_out={"hal-ade": "<script>"}, limits=["a & b"]
    )
    page = render_proof(bad, None)
    assert "<b>base" not in page
    assert "<script>" not in page
    assert "a &amp; b" in page
