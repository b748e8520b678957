import json
import subprocess
import sys
from pathlib import Path

import pytest

from locvlm import cli
from tests.command_line import fails_with_one_line


def test_a_missing_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "none.yaml"
    assert str(recipe) in fails_with_one_line(capsys, "train", str(recipe))


@pytest.mark.parametrize("command", ["train", "plan"])
def test_a_recipe_that_asks_nothing_is_refused_before_pytorch_is_loaded(
    tmp_path: Path, command: str
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("{model: tiny, data: [a], out: b, stages: {s: {trains: lora, steps: 1}}}")
    code = (
        "import sys\nfrom locvlm import cli\n"
        f"assert cli.main({[command, str(recipe)]!r}) == 2\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "stages.s.questions: asks nothing" in done.stderr


def test_train_takes_settings_in_both_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    from locvlm.training import recipe_file, train

    calls = []
    monkeypatch.setattr(recipe_file, "read_recipe", lambda *given: calls.append(given))
    monkeypatch.setattr(train, "train_recipe", lambda _: Path("runs/mine/model"))
    cli.main(["train", "tiny.yaml"])
    cli.main(["train", "tiny.yaml", "--set", "a.b=1", "c=2", "--set", "d=[3, 4]"])
    assert calls == [(Path("tiny.yaml"), []), (Path("tiny.yaml"), ["a.b=1", "c=2", "d=[3, 4]"])]


def test_a_run_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from locvlm.training import recipe_file, train

    def fake(_: object) -> Path:
        print("loss 0.3")
        (tmp_path / "one").mkdir()
        (tmp_path / "one/validation.json").write_text('{"metric": "loss", "step": 3}')
        return tmp_path / "model"

    monkeypatch.setattr(recipe_file, "read_recipe", lambda *_: None)
    monkeypatch.setattr(train, "train_recipe", fake)
    assert cli.main(["train", "tiny.yaml", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {
        "model": str(tmp_path / "model"),
        "out": str(tmp_path),
        "validation": {"one": {"metric": "loss", "step": 3}},
    }
    assert said.err == "loss 0.3\n"
