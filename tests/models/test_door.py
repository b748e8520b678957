"""Model folders of somebody else's: loaded, or refused in one line."""

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from peft import LoraConfig, get_peft_model

from locvlm import cli
from locvlm.errors import InputError
from locvlm.inference.predictor import load_predictor
from locvlm.models.door import check_settings
from locvlm.models.folders import ModelSettings

FEW = 12  # mutations of each file in every run of the tests
VALUES = (None, "x", "", [], {}, [None], {"x": 1}, -1, 0, 3, 1.5, True, "a/b", [1, "x"])


@pytest.fixture
def folder(small_base: Path, tmp_path: Path) -> Path:
    """The small model; its weights are links."""
    target = tmp_path / "model"
    target.mkdir()
    for path in small_base.iterdir():
        if path.suffix == ".safetensors":
            os.link(path, target / path.name)
        else:
            shutil.copy(path, target)
    return target


def mutate(settings: Any, rng: random.Random) -> None:
    """Change, remove or add one value at any depth."""
    places: list[tuple[Any, Any]] = []
    waiting = [settings]
    while waiting:
        value = waiting.pop()
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        places += [(value, key) for key in keys]
        waiting += [value[key] for key in keys if isinstance(value[key], dict | list)]
    owner, key = rng.choice(places)
    if rng.random() < 0.2:
        del owner[key]
    else:
        owner[key] = rng.choice(VALUES)


def load_mutated(folder: Path, file: Path, count: int) -> None:
    whole = file.read_bytes()
    for seed in range(count):
        rng = random.Random(f"{file.name}/{seed}")
        settings = json.loads(whole)
        for _ in range(rng.randint(1, 2)):
            mutate(settings, rng)
        file.write_text(json.dumps(settings))
        try:
            load_predictor(folder)
        except InputError as error:
            assert "\n" not in str(error)
        except Exception as error:
            raise AssertionError(f"{file.name}, seed {seed}: {settings}") from error


FILES = ("config.json", "tokenizer_config.json", "processor_config.json", "generation_config.json")


@pytest.mark.parametrize("name", FILES)
def test_a_mutated_file_is_refused_or_loaded(name: str, folder: Path):
    load_mutated(folder, folder / name, int(os.environ.get("LOCVLM_MUTATIONS", FEW)))


@pytest.mark.slow
def test_a_mutated_adapter_is_refused_or_loaded(folder: Path, small_model: Any, tmp_path: Path):
    import copy

    lora = LoraConfig(r=2, target_modules=r".*language_model.*\.q_proj")
    adapter = tmp_path / "adapter"
    tuned = get_peft_model(copy.deepcopy(small_model.model), lora)
    tuned.save_pretrained(adapter, save_embedding_layers=False)
    ModelSettings(format="ivb", base=str(folder)).write(adapter)
    count = int(os.environ.get("LOCVLM_MUTATIONS", FEW))
    load_mutated(adapter, adapter / "adapter_config.json", count)


@pytest.mark.parametrize(
    "file", ["x.bin", "../x.safetensors", "/x.safetensors", "C:x.safetensors", 3, None]
)
def test_an_index_names_safetensors_of_the_folder_alone(file: Any, folder: Path):
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": {"a": file}}))
    with pytest.raises(InputError, match=r"index\.json: weight_map names .* the same folder alone"):
        load_predictor(folder)
    index.write_text("[]")
    with pytest.raises(InputError, match=r"index\.json: no JSON object"):
        load_predictor(folder)


@pytest.mark.parametrize("nested", [False, True])
def test_kernels_are_not_fetched(nested: bool, folder: Path):
    path = folder / "config.json"
    config = json.loads(path.read_bytes())
    place = config["text_config"] if nested else config
    place["attn_implementation"] = "kernels-community/flash-attn"
    path.write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"config\.json: names kernels .*kernels-community"):
        load_predictor(folder)


def test_deep_settings_are_one_line(tmp_path: Path):
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"config\.json: no JSON \("):
        check_settings(tmp_path)


@pytest.mark.parametrize("by_flag", [False, True])
def test_debug_shows_the_cause(
    by_flag: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def command() -> None:
        try:
            raise KeyError("hidden_size")
        except KeyError as error:
            raise InputError("m: cannot be loaded") from error

    monkeypatch.setattr(cli, "COMMANDS", {"demo": command, "other": command})
    assert cli.main(["demo"]) == 2
    assert capsys.readouterr().err == "locvlm: error: m: cannot be loaded\n"
    if not by_flag:
        monkeypatch.setenv("LOCVLM_DEBUG", "1")
    assert cli.main(["--debug", "demo"] if by_flag else ["demo"]) == 2
    said = capsys.readouterr().err
    assert "KeyError: 'hidden_size'" in said
    assert said.endswith("locvlm: error: m: cannot be loaded\n")
