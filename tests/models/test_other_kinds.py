"""Models that cannot be asked about an image are refused by the name of their type."""

import json
from pathlib import Path

import pytest
import torch

from locvlm.errors import InputError
from locvlm.models.load import load_model, load_processor, load_whole
from locvlm.models.other_kinds import OTHER_KINDS


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    line = rf"a model of type {kind} [^\n]*; take a model that answers questions"
    for load in (load_model, load_processor, lambda folder: load_whole(folder, torch.float32)):
        with pytest.raises(InputError, match=line):
            load(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", r"config\.json: no JSON object"),
        ("{", r"config\.json: no JSON \("),
        ('{"model_type": 3}', "transformers cannot load"),
    ],
)
def test_other_faults_of_a_config_are_said(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=said):
        load_processor(tmp_path)
