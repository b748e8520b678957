from pathlib import Path

import pytest

from locvlm import cli


def test_a_whole_model(
    small_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert cli.main(["merge", str(small_base), "--out", out, "--card", "license=mit"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "not known, so the card says so: base_model, datasets, language; --card tells it",
        out,
    ]
    assert "license: mit" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "tells"),
    [
        (["nowhere"], "no model 'nowhere'"),
        (["BASE", "--max-shard-size", "many"], "--max-shard-size many: no size"),
        (["BASE", "--card", "license"], "'license': not a setting"),
        (["BASE", "--scores", "nowhere"], "nowhere/scores.json: cannot be read"),
        (["BASE", "--run", "nowhere"], "nowhere/recipe.json: cannot be read"),
        (["BASE", "--dtype", "int4"], "int4"),
    ],
)
def test_bad_input(
    small_base: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    tells: str,
) -> None:
    given = [str(small_base) if word == "BASE" else word for word in arguments]
    assert cli.main(["merge", *given, "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert tells in line
    assert not (tmp_path / "out").exists()
