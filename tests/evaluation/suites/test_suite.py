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
        ("- [", "not a suite"),
    ],
)
def test_bad_suites(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_suite(str(tmp_path / "own.yaml"))


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
