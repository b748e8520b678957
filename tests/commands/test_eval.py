from pathlib import Path

import pytest

from locvlm import cli
from locvlm.errors import InputError
from locvlm.inference.sampling import Sampling
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


def test_how_answers_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[object, int]] = []

    def run(predictor: object, *_: object, samples: int, **__: object) -> object:
        given.append((predictor, samples))
        raise InputError("that was all")

    monkeypatch.setattr(
        "locvlm.inference.predictor.load_predictor", lambda name, **options: options["sampling"]
    )
    monkeypatch.setattr("locvlm.evaluation.runner.evaluate", run)
    monkeypatch.setattr("locvlm.evaluation.suites.run.run_suite", run)
    (tmp_path / "a.json").write_text("{}")
    task = ["--task", "locate", "--annotations", str(tmp_path / "a.json")]
    task += ["--images", str(tmp_path)]
    for what in (task, ["--suite", "location", "--data", str(tmp_path)]):
        command = ["eval", "--model", "tiny", *what, "--out", str(tmp_path / "out"), "--seed", "3"]
        assert cli.main(command) == 2
        assert cli.main([*command, "--temperature", "0.2", "--samples", "4"]) == 2
    assert given == [(None, 1), (Sampling(0.2, 3), 4)] * 2


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--data", ".", "--images", "."], "leave their flags out"),
        (["--images", "."], "say what --suite is about"),
        (["--annotations", "a.json"], "say what --suite is about"),
        (["--annotations", "a.json", "--images", ".", "--task", "locate"], "names tasks and"),
        (["--annotations", "a.json", "--questions", "q", "--images", "."], "say what --suite"),
    ],
)
def test_what_a_suite_is_about(
    flags: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["eval", "--model", "tiny", "--suite", "location", "--out", "out", *flags]
    assert cli.main(command) == 2
    assert line in capsys.readouterr().err
