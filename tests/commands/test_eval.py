from pathlib import Path

import pytest

from locvlm import cli
from tests.command_line import fails_with_one_line


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ([], "give --model, --task, --videos and --out"),
        (["--questions", "q.json", "--images", "."], "give --model, --task, --videos and --out"),
        (["--videos", "."], "give --model, --task and --out"),
    ],
)
def test_flags_of_the_command(
    flags: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for task in ("msvd-qa", "activitynet-qa"):
        assert cli.main(["eval", "--task", task, *flags]) == 2
        assert line in capsys.readouterr().err


def test_an_unknown_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = fails_with_one_line(
        capsys,
        *("eval", "--model", "tiny", "--task", "gqqa", "--annotations", "a.json"),
        *("--images", str(tmp_path), "--out", str(tmp_path / "out")),
    )
    assert "'gqqa'" in line
    assert not (tmp_path / "out").exists()
