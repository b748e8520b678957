from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.suites.suite import Entry, find_sources, names, read_suite

LOCATE = Entry("mine", "locate", {"annotations": ["a.json", "b.json"]}, "images")


@pytest.mark.parametrize("name", names())
def test_the_suites_that_come_along(name: str) -> None:
    entries = read_suite(name)
    assert len({entry.name for entry in entries}) == len(entries) > 0
    for entry in entries:
        task = tasks.get(entry.task)
        assert set(entry.files) <= set(task.files)
        assert {flag for flag, file in task.files.items() if file.needed} <= set(entry.files)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {name: a}", "not a suite: .*task"),
        ("- {name: a, task: none, files: {}}", "unknown evaluation task 'none'"),
        ("- {name: a, task: locate, files: {}, options: {x: 1}}", "has no option 'x'"),
        ("- {name: a, task: locate, files: {x: y}}", "takes no --x; it takes --annotations"),
        (
            "- {name: a, task: locate, files: {}, notes: {IoU: {X: odd}}}",
            "a notes IoU of X, and has no such published figure",
        ),
        ("- [", "not a suite"),
    ],
)
def test_bad_suites(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_suite(str(tmp_path / "own.yaml"))


@pytest.mark.parametrize("name", ["coco-spatial", "gqa", "vqav2", "pope", "hal-coco", "hal-act"])
def test_published_figures_are_of_scores_that_there_are(name: str) -> None:
    for entry in read_suite("paper"):
        if entry.task == name:
            scores = tasks.get(name).summarize([], seed=0)
            assert entry.published.keys() <= scores.keys()


def test_figures_of_the_paper_by_their_setting() -> None:
    entries = {entry.name: entry for entry in read_suite("paper")}

    def figures(entry: str, score: str, setting: str) -> dict[str, float]:
        found = entries[entry].figures(score)
        return {each.who: each.value for each in found if each.setting == setting}

    assert figures("gqa", "accuracy", "zero-shot") == {
        "LLaVA": 44.7,
        "LocVLM-B": 47.3,
        "LLaVA-1.5": 48.7,
        "LocVLM-L": 50.2,
    }
    assert figures("vqav2", "accuracy", "supervised") == {"LLaVA-1.5": 78.1, "LocVLM-L": 78.2}
    assert figures("refcoco", "testB/METEOR", "zero-shot") == {"LLaVA": 0.0423, "LocVLM-B": 0.11}
    assert figures("hal-coco", "accuracy", "") == {"Shikra": 86.2, "LLaVA": 61.9, "LocVLM-B": 88.3}
    [adversarial] = entries["pope-adversarial"].figures("accuracy")
    assert "82.5" in adversarial.note


def test_no_such_suite() -> None:
    with pytest.raises(InputError, match=r"no suite 'papr'; known: .*paper"):
        read_suite("papr")


def test_the_first_file_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no .*a\.json"):
        find_sources(LOCATE, tmp_path)
    (tmp_path / "b.json").touch()
    with pytest.raises(InputError, match="no .*images"):
        find_sources(LOCATE, tmp_path)
    (tmp_path / "images").mkdir()
    sources = find_sources(LOCATE, tmp_path)
    assert sources.files == {"annotations": tmp_path / "b.json"}
    assert sources.images == tmp_path / "images"


def test_where_any_of_the_files_would_do_the_first_is_named(tmp_path: Path) -> None:
    entry = Entry("sides", "coco-spatial-released", {"questions": "released"}, "images")
    with pytest.raises(InputError, match=f"^no {tmp_path / 'released'}$"):
        find_sources(entry, tmp_path)
