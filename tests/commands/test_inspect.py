from pathlib import Path

import pytest

from tests.command_line import fails_with_one_line


def test_an_unknown_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = fails_with_one_line(
        capsys, "inspect", str(tmp_path), "--out", str(tmp_path), "--format", "qvb"
    )
    assert "'qvb'" in line
    assert "ivb" in line
