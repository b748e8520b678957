import json
from pathlib import Path

import pytest

from locvlm import cli
from tests.commands.test_compare import run


def test_prove_two_finished_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = run(tmp_path / "a", "one", [True, False, True])
    b = run(tmp_path / "b", "two", [True, True, False])
    assert cli.main(["prove", a, b, "--out", str(tmp_path / "out")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "one → two" in said
    assert "Says what is there: accuracy present 66.7 % → 66.7 % on 1 photo, too few" in said
    assert "how far another training run, with another seed, would be" in said
    assert cli.main(["prove", a, b, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "out" / "proof.json").read_text())


def test_what_is_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["prove", "tiny", "tiny", "--annotations", "x.json"]) == 2
    assert "give the folder of the photos too, as --images" in capsys.readouterr().err
    assert cli.main(["prove", "tiny", "tiny", "--tasks", "nothing"]) == 2
    assert "unknown evaluation task 'nothing'" in capsys.readouterr().err
