import subprocess
import sys

import pytest

from locvlm.progress import count_progress, show_status, track

CODE = """
from locvlm.progress import track
for item in track({items}, "Doing"):
    {body}
"""


@pytest.mark.parametrize("items", ["[]", "range(3)", "iter('abc')"])
@pytest.mark.parametrize("body", ["pass", "raise SystemExit('broken')"])
def test_a_file_gets_no_empty_line(items: str, body: str) -> None:
    command = [sys.executable, "-c", CODE.format(items=items, body=body)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == ""
    assert done.stderr == ("broken\n" if "raise" in body and items != "[]" else "")


def test_all_items_come() -> None:
    assert list(track("abc", "Doing")) == ["a", "b", "c"]


def test_a_terminal_gets_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes standard error for a terminal
    monkeypatch.setenv("TERM", "xterm")
    assert list(track("abc", "Doing")) == ["a", "b", "c"]
    assert "Doing" in capsys.readouterr().err
    with count_progress(3, "Counting") as advance:
        advance(2)
    assert "Counting" in capsys.readouterr().err
    with show_status("Merging"):
        pass
    assert "Merging" in capsys.readouterr().err


def test_a_count_in_a_file_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with count_progress(3, "Counting") as advance:
        advance(2)
    with show_status("Merging"):
        pass
    assert capsys.readouterr() == ("", "")


def test_what_was_done_before_is_no_speed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with count_progress(100, "Asking", done=90) as advance:
        task = advance.func.__self__.tasks[0]
        assert (task.completed, task.percentage) == (90, 90)
        advance(1)
        advance(1)
        assert task.completed == 92
        assert sum(sample.completed for sample in task._progress) == 2
    assert "Asking" in capsys.readouterr().err
