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


@pytest.mark.parametrize(
    ("rank", "said"),
    [
        ("-1", "a rank is 1 or more; give one from 1 to 23"),
        ("0", "a rank is 1 or more; give one from 1 to 23"),
        ("24", "tiny-control has this rank already; give a smaller one"),
        ("25", "the updates of tiny-control have rank 24; give one from 1 to 23"),
    ],
)
def test_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rank: str, said: str
) -> None:
    given = ["shrink", "tiny-control", "--rank", rank, "--out", str(tmp_path / "small")]
    assert cli.main(given) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"locvlm: error: --rank {rank}: {said}"
