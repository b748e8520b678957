"""Several processes learn what one learns, step by step, also when they are killed on the way."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from locvlm.errors import InputError
from locvlm.training.train import train

RECIPE = """\
model: {base}
data: [data]
out: out
precision: fp32
lora: {{rank: 2, alpha: 2}}
save_steps: 2
stages:
  first:
    trains: adapter
    steps: 2
    images: 6
    learning_rate: 1.0e-3
    questions: {{category: 1}}
  second:
    trains: adapter+lora
    steps: 6
    images: 6
    learning_rate: 1.0e-3
    schedule: cosine
    weight_decay: 0.1
    questions: {{locpred: 2, revloc: 2}}
"""
WHOLE = "stages.second.trains=adapter+language"
CASES = {
    "packed": [],
    "batched": ["batch=3"],
    "padded": ["layout=padded", "cache=false", "batch=3"],
    "whole": [WHOLE],
    "readout": ["stages.second.readout=1.0"],
    "standardized": ["stages.second.standardize=true"],
    "fsdp2": ["distributed=fsdp2"],
    "fsdp2-whole": ["distributed=fsdp2", WHOLE, "gradient_checkpointing=true"],
    "fsdp2-padded": ["distributed=fsdp2", "layout=padded", "cache=false", "batch=3"],
}
KILLED = ("packed", "fsdp2-whole")
DEATH = 3 * 2 + 3 * 4 + 2  # calls of the loss in one of two processes: in the second's fifth step

pytestmark = [
    pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="PyTorch without gloo"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As each of several processes has: more only get into each other's way here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(small_base: Path, tmp_path_factory: pytest.TempPathFactory, write_data: Any) -> Path:
    """A recipe over six pictures."""
    folder: Path = tmp_path_factory.mktemp("several")
    write_data(folder)
    (folder / "several.yaml").write_text(RECIPE.format(base=small_base))
    return folder


@pytest.fixture(scope="module")
def one(folder: Path) -> Callable[[str], Path]:
    """Runs a case in this process alone, once. Returns its folder."""

    def run(case: str) -> Path:
        out = folder / f"one-{case}"
        if not out.exists():
            train(folder / "several.yaml", [f"out={out}", *CASES[case]])
        return out

    return run


@pytest.fixture(scope="module")
def two(folder: Path) -> Path:
    """All cases in two processes; then one more run of `packed` that was killed."""
    cases = [{"set": [f"out={folder / f'two-{name}'}", *CASES[name]]} for name in CASES]
    killed = {"set": [f"out={folder / 'killed-packed'}"], "die": DEATH}
    assert several(folder, 2, [*cases, killed]) != 0
    return folder


@pytest.fixture(scope="module")
def killed(two: Path) -> Path:
    """Runs of `packed` and of `fsdp2-whole` that were killed."""
    out = two / "killed-fsdp2-whole"
    assert several(two, 2, [{"set": [f"out={out}", *CASES["fsdp2-whole"]], "die": DEATH}]) != 0
    for case in KILLED:
        assert not (two / f"killed-{case}" / "model").exists()
        checkpoints = (two / f"killed-{case}" / "second").glob("checkpoint-*")
        assert {path.name for path in checkpoints} == {"checkpoint-2", "checkpoint-4"}
    return two


def several(folder: Path, count: int, cases: list[dict[str, Any]]) -> int:
    """The exit code of `count` processes that run cases one after the other."""
    (folder / "cases.json").write_text(json.dumps(cases))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    script = [str(Path(__file__).with_name("several.py")), "several.yaml", "cases.json"]
    result = subprocess.run(
        [*launcher, f"--nproc-per-node={count}", *script],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    (folder / "errors.txt").write_text(result.stderr)
    return result.returncode


def rows(out: Path, stage: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (out / stage / "log.jsonl").read_text().splitlines()]
    names = ("step", "loss", "grad_norm", "answer_loss", "token_accuracy", "learned_tokens")
    return [{name: line[name] for name in names} for line in lines if "loss" in line]


def assert_same(ours: Path, theirs: Path) -> None:
    """The same losses at every step, and the same weights at the end."""
    for stage, steps in (("first", 2), ("second", 6)):
        assert [row["step"] for row in rows(ours, stage)] == [*range(1, steps + 1)]
        for mine, other in zip(rows(ours, stage), rows(theirs, stage), strict=True):
            assert mine == pytest.approx(other, rel=1e-5)
        assert not list((ours / stage).glob("checkpoint-*"))
    mine, other = (load_file(next((out / "model").glob("*.safetensors"))) for out in (ours, theirs))
    assert mine.keys() == other.keys()
    for name, value in other.items():
        torch.testing.assert_close(mine[name], value, rtol=1e-2, atol=1e-4, msg=name)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_learn_what_one_learns(
    two: Path, one: Callable[[str], Path], case: str
) -> None:
    assert_same(two / f"two-{case}", one(case))


def test_pictures_of_one_pass_teach_what_they_teach_one_by_one(one: Callable[[str], Path]) -> None:
    for stage in ("first", "second"):
        together, alone = (rows(one(case), stage) for case in ("batched", "packed"))
        for mine, other in zip(together, alone, strict=True):
            for name in ("step", "loss", "grad_norm", "answer_loss"):
                assert mine[name] == pytest.approx(other[name], rel=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_every_visit_is_made_once(two: Path, case: str) -> None:
    parts = [(two / f"two-{case}.visits.{rank}").read_text().splitlines() for rank in range(2)]
    first = [f"0/first {number}" for number in range(2 * 6)]
    second = [f"0/second {number}" for number in range(6 * 6)]
    measured = second if case == "standardized" else []  # by the main process alone
    assert len(parts[0]) == len(parts[1]) + len(measured)
    assert Counter(parts[0] + parts[1]) == Counter(first + second + measured)


def copied(run: Path, to: Path) -> Path:
    """A run under another name, as if it had always had that."""
    shutil.copytree(run, to)
    recipe = json.loads((to / "recipe.json").read_text())
    text = json.dumps({**recipe, "out": str(to)}, indent=2, ensure_ascii=False)
    (to / "recipe.json").write_text(text)
    return to


def test_killed_processes_go_on_in_any_number(killed: Path, one: Callable[[str], Path]) -> None:
    for number in (2, 3):
        outs = {c: copied(killed / f"killed-{c}", killed / f"{number}-{c}") for c in KILLED}
        cases = [{"set": [f"out={out}", *CASES[case]]} for case, out in outs.items()]
        assert several(killed, number, cases) == 0
        for case, out in outs.items():
            assert_same(out, one(case))
    alone = copied(killed / "killed-packed", killed / "1-packed")
    train(killed / "several.yaml", [f"out={alone}"])
    assert_same(alone, one("packed"))


def test_what_fsdp2_has_written_needs_torchrun(killed: Path) -> None:
    out = killed / "killed-fsdp2-whole"
    with pytest.raises(InputError, match=r"second/checkpoint-4: written by fsdp2 under torchrun"):
        train(killed / "several.yaml", [f"out={out}", *CASES["fsdp2-whole"]])


def test_a_checkpoint_that_was_not_written_to_its_end_is_not_gone_on_from(
    killed: Path, one: Callable[[str], Path]
) -> None:
    out = copied(killed / "killed-packed", killed / "half-packed")
    (out / "second" / "checkpoint-4" / "complete").unlink()
    (out / "second" / "checkpoint-4" / "optimizer.pt").write_bytes(b"")
    train(killed / "several.yaml", [f"out={out}"])
    assert_same(out, one("packed"))
