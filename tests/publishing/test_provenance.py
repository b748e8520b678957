"""Where a model comes from, as far as its folders tell."""

import json
from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.publishing.provenance import RunRecord, find_origin

STAGES = {
    name: {"trains": "adapter", "steps": steps, "questions": {"caption": 1}}
    for name, steps in (("one", 1), ("two", 2))
}
RECIPE = {"model": "tiny", "data": [], "out": "run", "stages": STAGES}


def run_of(name: Path, run: Path | None = None) -> RunRecord:
    found = find_origin(str(name), run).run
    assert found is not None
    return found


def test_an_adapter_alone(adapter: Path) -> None:
    origin = find_origin(str(adapter))
    assert origin.run is None
    assert origin.base == "base"
    assert origin.folders == (adapter, adapter.parents[1] / "base")
    assert origin.adapter is not None
    assert (origin.adapter.peft_type, origin.adapter.r) == ("LORA", 4)


def test_a_whole_model(adapter: Path) -> None:
    base = adapter.parents[1] / "base"
    origin = find_origin(str(base))
    assert (origin.folders, origin.base, origin.adapter) == ((base,), "", None)


def test_the_last_model_and_that_of_a_stage(adapter: Path) -> None:
    run = adapter.parent
    (run / "recipe.json").write_text(json.dumps(RECIPE))
    assert list(run_of(adapter).stages) == ["one", "two"]
    (run / "one").mkdir()
    settings = (adapter / "locvlm.json").read_text()
    (adapter / "locvlm.json").write_text(settings.replace("../../base", "../../../base"))
    stage = adapter.rename(run / "one" / "model")
    assert list(run_of(stage).stages) == ["one"]
    assert list(run_of(stage, run).stages) == ["one", "two"]  # as told


def test_no_run_of_this_version(adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"recipe\.json: cannot be read .*check --run"):
        find_origin(str(adapter), tmp_path)
    (tmp_path / "recipe.json").write_text(json.dumps({**RECIPE, "epochs": 3}))
    with pytest.raises(InputError, match=r"recipe\.json: no recipe of this version .*epochs"):
        find_origin(str(adapter), tmp_path)


def test_settings_that_are_none(adapter: Path) -> None:
    (adapter / "adapter_config.json").write_text("[]")
    with pytest.raises(InputError, match=r"adapter_config\.json: no settings of an adapter"):
        find_origin(str(adapter))
