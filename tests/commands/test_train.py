import json
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

    def fake(recipe: Path, settings: list[str]) -> Path:
        calls.append((recipe, settings))
        return Path("runs/mine/model")

    monkeypatch.setattr(train, "train", fake)
    cli.main(["train", "tiny.yaml"])
    cli.main(["train", "tiny.yaml", "--set", "a.b=1", "c=2", "--set", "d=[3, 4]"])
    assert calls == [(Path("tiny.yaml"), []), (Path("tiny.yaml"), ["a.b=1", "c=2", "d=[3, 4]"])]


def test_a_run_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from locvlm.training import train

    def fake(recipe: Path, settings: list[str]) -> Path:
        print("loss 0.3")
        (tmp_path / "one").mkdir()
        (tmp_path / "one/validation.json").write_text('{"metric": "loss", "step": 3}')
        return tmp_path / "model"

    monkeypatch.setattr(train, "train", fake)
    assert cli.main(["train", "tiny.yaml", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {
        "model": str(tmp_path / "model"),
        "out": str(tmp_path),
        "validation": {"one": {"metric": "loss", "step": 3}},
    }
    assert said.err == "loss 0.3\n"
