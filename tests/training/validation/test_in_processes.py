"""Two processes share a look, also of a model that none of them has whole."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

SCRIPT = Path(__file__).parents[1] / "several.py"

pytestmark = [
    pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="PyTorch without gloo"),
    pytest.mark.slow,
]


def looks(out: Path) -> list[dict[str, Any]]:
    rows = map(json.loads, (out / "places/log.jsonl").read_text().splitlines())
    return [row for row in rows if "eval_loss" in row]


def test_two_processes_see_what_one_sees(looking_recipe: Path, whole: Path) -> None:
    folder = looking_recipe.parent
    settings = {"ddp": "distributed=ddp", "fsdp2": "distributed=fsdp2"}
    cases = [{"set": [f"out={folder / name}", one]} for name, one in settings.items()]
    (folder / "cases.json").write_text(json.dumps(cases))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*launcher, "--nproc-per-node", "2", str(SCRIPT), looking_recipe.name, "cases.json"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for name in settings:
        for ours, theirs in zip(looks(folder / name), looks(whole), strict=True):
            assert ours["step"] == theirs["step"]
            assert ours["eval_loss"] == pytest.approx(theirs["eval_loss"], rel=1e-5)
            if name == "ddp":
                assert ours == pytest.approx(theirs, rel=1e-5)
            else:  # none has a model that could answer
                assert "eval_iou" not in ours
        assert (folder / name / "model" / "adapter_model.safetensors").is_file()
