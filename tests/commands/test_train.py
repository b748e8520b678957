from pathlib import Path

import pytest

from locvlm import cli
from tests.command_line import fails_with_one_line


def test_a_missing_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "none.yaml"
    assert str(recipe) in fails_with_one_line(capsys, "train", str(recipe))


def test_train_takes_settings_in_both_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    from locvlm.training import train

    calls = []
    monkeypatch.setattr(train, "train", lambda recipe, settings: calls.append((recipe, settings)))
    cli.main(["train", "tiny.yaml"])
    cli.main(["train", "tiny.yaml", "--set", "a.b=1", "c=2", "--set", "d=[3, 4]"])
    assert calls == [(Path("tiny.yaml"), []), (Path("tiny.yaml"), ["a.b=1", "c=2", "d=[3, 4]"])]
