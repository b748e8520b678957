import re
from pathlib import Path

import pytest

from locvlm import cli


def test_shrink(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "small"
    assert cli.main(["shrink", "tiny-control", "--rank", "8", "--out", str(out)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    said = r"rank 24 to 8, 10\.6 to \d\.\d MB; of .* \d+\.\d% is lost, most \(\d+\.\d%\) in model\."
    assert re.match(said, first)
    assert second == str(out)


def test_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["shrink", "tiny-control", "--rank", "24", "--out", str(tmp_path / "small")]
    assert cli.main(given) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "have rank 24; give a --rank below it" in line
