"""Every report, with hostile text in every field: nothing of it is markup, a link or an order."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from PIL import Image

from locvlm.ablation.table import AblationCell, format_markdown
from locvlm.evaluation import run_files, tasks
from locvlm.evaluation.proof.page import render_proof
from locvlm.evaluation.proof.structure import (
    Changes,
    Example,
    Figure,
    Proof,
    Table,
    TaskProof,
    Verdict,
)
from locvlm.evaluation.reports import comparison_page
from locvlm.evaluation.reports.report import write_report
from locvlm.evaluation.suites.page import write_pages
from locvlm.evaluation.suites.suite import Entry
from locvlm.evaluation.task import ScoredAnswer
from locvlm.io import pages
from locvlm.publishing.card_training import format_rows
from locvlm.shown.links import link_file

EVIL = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }} | `x` "
    "[y](javascript:z)\n# h"
)
FIGURE = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9, "kind": "rate"}


class Tags(HTMLParser):
    """The tags of a page, with their attributes."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def check_page(page: str) -> Tags:
    """No tag but the templates' own, no handler, no address but of files and pictures inside."""
    found = Tags(page)
    for tag, attributes in found.tags:
        assert tag not in ("script", "iframe", "object", "svg", "base", "form")
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src"):
            address = attributes.get(name) or ""
            assert not re.match(r"\s*[a-z]+:(?!image/jpeg;base64)", address, re.IGNORECASE)
        assert attributes.get("src") != "x"
    assert "7*7" in page
    return found


def check_markdown(text: str) -> None:
    """All that could be a tag, a link or a cell's end is escaped, and no line was begun."""
    assert not re.search(r"(?<!\\)<(?:script|img)", text)
    assert not re.search(r"(?<!\\)\]\(javascript", text)
    assert not re.search(r"^# h", text, re.MULTILINE)
    for line in text.splitlines():
        if line.startswith("|") and "script" in line:
            assert len(re.findall(r"(?<!\\)\|", line)) >= 3
    tables = re.findall(r"(?:^\|.*\n)+", f"{text}\n", re.MULTILINE)
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def result() -> dict[str, Any]:
    return {
        "task": "hal-coco",
        "model": EVIL,
        "data": EVIL,
        "seed": 0,
        "questions": EVIL,
        "pictures": EVIL,
        "unanswered": 0,
        "options": {EVIL: EVIL},
        "skipped": {EVIL: 1},
        "dropped": {EVIL: 1},
        "examples": {EVIL: EVIL},
        "remarks": [EVIL],
        "notes": {EVIL: [EVIL]},
        "judge": {"model": EVIL, "verdicts": 1, "unreadable": 1},
        "categories": {EVIL: {"questions": 1, EVIL: 0.5}},
        "scores": {"accuracy": FIGURE, EVIL: FIGURE, f"{EVIL}/{EVIL}": FIGURE},
    }


def test_comparison_page() -> None:
    example = comparison_page.Example(
        "hal-coco", EVIL, EVIL, (comparison_page.Panel(EVIL, EVIL, True, "1", "one"),), b"", EVIL
    )
    columns = {EVIL: {"hal-coco": result()}, "b": {"hal-coco": result()}}
    page = comparison_page.render_page(EVIL, columns, [example], verdicts=[("better", EVIL)])
    check_page(page)
    long = comparison_page.Example("hal-coco", "x" * 10**6, "y", (), None)
    assert len(comparison_page.render_page("t", columns, [long])) < 10**5


def test_proof_page() -> None:
    figure = Figure(EVIL, "rate", 0.5, 0.6, 0.1, 0.0, 0.2, 9, 9, 1)
    verdict = Verdict("better", EVIL, EVIL)
    example = Example(EVIL, EVIL, True, EVIL, EVIL, (EVIL, EVIL), (None, None), (0, 1), [])
    task = TaskProof(
        *("hal-coco", EVIL, EVIL, EVIL, 9, 9, False, False, [verdict], [figure], 1),
        *([Table(EVIL, EVIL, [figure])], Changes(9, 1, 1, 0), [example], [], [EVIL], EVIL),
    )
    proof = Proof(EVIL, EVIL, 0, [verdict], [task], {EVIL: EVIL}, [EVIL], [EVIL])
    check_page(render_proof(proof, None, {EVIL: EVIL}))


def test_suite_pages(tmp_path: Path) -> None:
    name = "javascript:alert(1)"
    (tmp_path / name).mkdir()
    (tmp_path / name / run_files.COMPARISON).touch()
    entry = Entry(name, "hal-coco", {}, published={"accuracy": {EVIL: {EVIL: 1.5}}})
    entry.notes["accuracy"] = {EVIL: EVIL}
    write_pages(tmp_path, [entry], {name: {EVIL: result()}}, {EVIL: EVIL})
    page = check_page((tmp_path / run_files.SUITE_PAGE).read_text())
    [link] = [found["href"] for tag, found in page.tags if tag == "a"]
    assert link and unquote(link) == f"{name}/{run_files.COMPARISON}" and ":" not in link
    check_markdown((tmp_path / run_files.SUITE_TABLE).read_text())


def test_report(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    rows = [
        ScoredAnswer("1", name, EVIL, EVIL, EVIL, {}, (), True, {"yes": True})
        for name in ("1.png", EVIL)
    ]
    write_report(tmp_path, tasks.get("hal-coco"), result(), rows, tmp_path)
    check_markdown((tmp_path / run_files.REPORT).read_text())


def test_ablation_table() -> None:
    cell = AblationCell((1.0,))
    check_markdown(format_markdown(EVIL, {EVIL: {EVIL: cell}, "b": {EVIL: cell}}))


def test_readme_filters(tmp_path: Path) -> None:
    (tmp_path / "a.md.j2").write_text("# {{ a|markdown }}\n\n{{ a|code }} | {{ a|line }}\n")
    text = pages.render_text(tmp_path, "a.md.j2", a=EVIL)
    assert len(text.splitlines()) == 3
    assert format_rows(("a",), [("b",)]) == "| a |\n| --- |\n| b |"


@pytest.mark.parametrize("name", ["a#1.png", "a?b.png", "100%.png", "a%20b.png", 'a"b.png'])
def test_pictures_with_odd_names_show(name: str, tmp_path: Path) -> None:
    (tmp_path / "p.html.j2").write_text('<img src="{{ [name]|link }}">')
    [(_, found)] = Tags(pages.render_page(tmp_path, "p.html.j2", name=name)).tags
    assert unquote(found["src"] or "") == name
    assert found["src"] == link_file(name)
