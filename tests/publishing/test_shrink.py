"""Smaller ranks: exact where nothing is lost, and else the nearest there is."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import PeftModel
from safetensors.torch import load_file, save_file

from locvlm.errors import InputError
from locvlm.media.fingerprints import Fingerprint
from locvlm.models.folders import ADAPTER, ModelSettings
from locvlm.models.learned_images import LearnedImages, learned_by
from locvlm.models.load import load_exact
from locvlm.publishing.shrink import shrink, truncate_update
from locvlm.training.adapters import add_adapter, load_adapter, read_lora, save_adapter
from locvlm.training.recipe import LoraSettings, Recipe
from locvlm.training.start import load_start

SEEDS = st.integers(0, 2**32)
WIDTHS = st.integers(1, 9)


def factors(seed: int, outputs: int, inputs: int, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A of (rank, inputs) and B of (outputs, rank), in float64."""
    generator = torch.Generator().manual_seed(seed)
    down = torch.randn(rank, inputs, generator=generator, dtype=torch.float64)
    return down, torch.randn(outputs, rank, generator=generator, dtype=torch.float64)


@given(seed=SEEDS, outputs=WIDTHS, inputs=WIDTHS, old=WIDTHS, new=WIDTHS, factor=st.floats(0.1, 9))
def test_what_is_lost_are_the_smallest_singular_values(
    seed: int, outputs: int, inputs: int, old: int, new: int, factor: float
) -> None:
    down, up = factors(seed, outputs, inputs, old)
    whole = factor * up @ down
    new_down, new_up, values = truncate_update(down, up, new, factor)
    assert torch.allclose(values, torch.linalg.svdvals(whole)[: len(values)], atol=1e-9)
    error = torch.linalg.matrix_norm(whole - new_up @ new_down)
    assert error == pytest.approx(float(values[new:].square().sum().sqrt()), abs=1e-9)


@given(seed=SEEDS, rank=st.integers(1, 4))
def test_no_other_update_of_the_rank_is_nearer(seed: int, rank: int) -> None:
    down, up = factors(seed, 7, 6, 5)
    whole = up @ down
    new_down, new_up, _ = truncate_update(down, up, rank)
    least = torch.linalg.matrix_norm(whole - new_up @ new_down)
    other_down, _ = factors(seed + 1, 7, 6, rank)
    other_up = whole @ torch.linalg.pinv(other_down)  # the best to go with it
    assert least <= torch.linalg.matrix_norm(whole - other_up @ other_down) + 1e-9
    turned = new_down + 0.01 * other_down  # and near by
    assert least <= torch.linalg.matrix_norm(whole - new_up @ turned) + 1e-9


@given(seed=SEEDS, factor=st.floats(0.1, 9))
def test_an_update_of_low_rank_stays_itself(seed: int, factor: float) -> None:
    down, up = factors(seed, 7, 6, 2)
    zeros = torch.zeros(2, 6, dtype=torch.float64), torch.zeros(7, 2, dtype=torch.float64)
    padded = torch.cat([down, zeros[0]]), torch.cat([up, zeros[1]], dim=1)
    new_down, new_up, _ = truncate_update(*padded, 2, factor)
    assert torch.allclose(new_up @ new_down, factor * up @ down, atol=1e-9)


def test_both_factors_are_of_one_size() -> None:
    new_down, new_up, values = truncate_update(*factors(0, 7, 6, 5), 3, 2.0)
    for square in (new_down @ new_down.T, new_up.T @ new_up):
        assert torch.allclose(square, torch.diag(values[:3]))


def test_no_update_at_all() -> None:
    down, up = factors(0, 7, 6, 5)
    new_down, new_up, values = truncate_update(down, 0 * up, 3)
    assert not values.any()
    assert torch.equal(new_up @ new_down, torch.zeros(7, 6, dtype=torch.float64))


def products(folder: Path) -> dict[str, torch.Tensor]:
    """What each layer is changed by."""
    state, config = load_file(folder / ADAPTER[1]), json.loads((folder / ADAPTER[0]).read_bytes())
    return {
        name.removesuffix(".lora_A.weight"): config["lora_alpha"]
        / config["r"]
        * (state[name.replace("lora_A", "lora_B")].double() @ state[name].double())
        for name in state
        if "lora_A" in name
    }


@pytest.mark.parametrize("alpha", [4, 12])
def test_an_adapter(adapter: Path, tmp_path: Path, alpha: int) -> None:
    path = adapter / ADAPTER[0]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"lora_alpha": alpha}))
    out = tmp_path / "elsewhere" / "small"
    learned = LearnedImages.of([("a.jpg", Fingerprint("0" * 64))])
    learned.write(adapter)
    made = shrink(str(adapter), out, 2)
    assert learned_by(out) == learned
    assert (made.old_rank, made.new_bytes) == (4, (out / ADAPTER[1]).stat().st_size)
    assert made.new_bytes < made.old_bytes
    before, after = products(adapter), products(out)
    lost = {
        layer: float((before[layer] - after[layer]).square().sum() / before[layer].square().sum())
        for layer in before
    }
    assert made.layer == max(lost, key=lost.__getitem__)
    assert made.most == pytest.approx(lost[made.layer], rel=1e-4)
    assert 0 < min(lost.values()) < made.lost < made.most < 0.6
    old, new = load_file(adapter / ADAPTER[1]), load_file(out / ADAPTER[1])
    assert old.keys() == new.keys()
    for name in old:
        assert old[name].dtype == new[name].dtype
        assert "lora_" in name or torch.equal(old[name], new[name])
    assert read_lora(out) == LoraSettings(
        rank=2, alpha=2, targets=tuple(sorted(LoraSettings().targets))
    )
    settings = ModelSettings.read(out)  # its base is found from there, too
    assert (settings.options, settings.base) == ({"bins": 56}, str((tmp_path / "base").resolve()))
    assert load_exact(out).model


def test_weights_are_rounded_once(adapter: Path, tmp_path: Path) -> None:
    state = {name: value.bfloat16() for name, value in load_file(adapter / ADAPTER[1]).items()}
    save_file(state, adapter / ADAPTER[1])
    shrink(str(adapter), tmp_path / "small", 3)
    new = load_file(tmp_path / "small" / ADAPTER[1])
    name = next(name for name in state if "lora_A" in name)
    down, up, _ = truncate_update(state[name], state[name.replace("lora_A", "lora_B")], 3, 8 / 4)
    assert torch.equal(new[name], down.bfloat16())
    assert torch.equal(new[name.replace("lora_A", "lora_B")], up.bfloat16())


def test_nothing_is_lost_where_nothing_is_cut_off(small_base: Path, tmp_path: Path) -> None:
    """Four fifths of the rank are unused; training goes on from what is left."""

    def fresh(rank: int) -> PeftModel:
        recipe = Recipe(data=(), out="", stages={}, model=str(small_base), precision="fp32")
        return add_adapter(load_start(recipe).model, LoraSettings(rank=rank, alpha=rank))

    tuned: Any = fresh(10)
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight[:, :2])
    save_adapter(tuned, tmp_path / "large", lora=True)
    ModelSettings(base=str(small_base)).write(tmp_path / "large")
    made = shrink(str(tmp_path / "large"), tmp_path / "small", 2)
    assert made.most < 1e-9
    before, after = products(tmp_path / "large"), products(tmp_path / "small")
    for layer, change in before.items():
        assert torch.allclose(change, after[layer], atol=0.02 * float(change.abs().max())), layer
    assert load_adapter(fresh(2), tmp_path / "small")


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_the_smallest_rank_cannot_be_cut(adapter: Path, tmp_path: Path, rank: int) -> None:
    shrink(str(adapter), tmp_path / "one", 1)
    with pytest.raises(InputError, match="have rank 1, the smallest there is; nothing to cut"):
        shrink(str(tmp_path / "one"), tmp_path / "small", rank)


def test_what_cannot_be_cut(adapter: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    for rank in (0, -3):
        with pytest.raises(InputError, match=f"--rank {rank}: a rank is 1 or more.* from 1 to 3$"):
            shrink(str(adapter), out, rank)
    with pytest.raises(InputError, match="--rank 4: .* has this rank already; give a smaller one"):
        shrink(str(adapter), out, 4)
    with pytest.raises(InputError, match="--rank 5: .* have rank 4; give one from 1 to 3$"):
        shrink(str(adapter), out, 5)
    with pytest.raises(InputError, match="tiny-stage1: has no low-rank updates"):
        shrink("tiny-stage1", out, 1)
    with pytest.raises(InputError, match="no model 'nowhere'"):
        shrink("nowhere", out, 1)
    assert not out.exists()
    out.mkdir()
    (out / "mine").touch()
    with pytest.raises(InputError, match="small: exists; give another --out"):
        shrink(str(adapter), out, 2)
    (adapter / ADAPTER[1]).write_bytes(b"half")
    with pytest.raises(InputError, match="cannot be read"):
        shrink(str(adapter), tmp_path / "other", 2)
