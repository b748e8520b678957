import pytest

from locvlm import cli


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
