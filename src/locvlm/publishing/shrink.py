"""An adapter whose low-rank updates have a smaller rank, each as near to the old one as can be.

Of the singular values of an update the largest are kept: no other update of that rank is nearer to
it in the Frobenius norm (Eckart and Young).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from locvlm.errors import InputError
from locvlm.io.digests import digest_file
from locvlm.io.outputs import Reads, check_filled_folder, fill_output_folder, read_mark
from locvlm.models.folders import ADAPTER, ModelSettings, adapter_folder, resolve_base_name
from locvlm.models.learned_images import read_learned
from locvlm.training.adapters import read_lora

_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"


@dataclass(frozen=True)
class ShrinkReport:
    """What became of an adapter."""

    old_rank: int
    old_bytes: int
    new_bytes: int
    lost: float  # share of the squared norm of all updates together
    most: float  # of the layer that lost most
    layer: str  # its name


def shrink(name: str, out: Path, rank: int) -> ShrinkReport:
    """Write `out`, there complete or not at all: the adapter with updates of `rank`.

    Args:
        name: a shipped adapter, or the folder of one.
        out: folder to write; must not exist, or be empty.
        rank: of the new updates, whose alpha is the same number.

    Raises:
        InputError: there is no such adapter, it has no updates of a larger rank, `rank` is none, or
            `out` is taken.
    """
    folder = adapter_folder(name)
    lora = read_lora(folder)
    if lora is None:
        raise InputError(f"{name}: has no low-rank updates; nothing can be cut")
    _check_rank(name, lora.rank, rank)
    reads = Reads([folder])
    work = {"adapter": digest_file(folder / ADAPTER[1])[:16], "rank": rank}
    before = read_mark(out)
    if out.is_dir() and any(out.iterdir()) and (before is None or before.work != work):
        raise InputError(f"{out}: exists; give another --out")
    check_filled_folder(out, "shrink", reads, work=work)
    state = load_file(folder / ADAPTER[1])
    norms: dict[str, tuple[float, float]] = {}
    for layer in _layers(state):
        down, up = state[layer + _DOWN], state[layer + _UP]
        new_down, new_up, values = truncate_update(down, up, rank, lora.alpha / lora.rank)
        state[layer + _DOWN], state[layer + _UP] = new_down.to(down.dtype), new_up.to(up.dtype)
        squares = values.square()
        norms[layer] = float(squares.sum()), float(squares[rank:].sum())
    config = json.loads((folder / ADAPTER[0]).read_bytes())
    base = resolve_base_name(folder)
    ours = (folder / "locvlm.json").is_file()  # another trainer's names its base itself
    config |= {} if ours else {"base_model_name_or_path": base}
    with fill_output_folder(out, "shrink", reads, work=work) as scratch:
        save_file(state, scratch / ADAPTER[1], metadata={"format": "pt"})
        text = json.dumps(config | {"r": rank, "lora_alpha": rank}, indent=2)
        (scratch / ADAPTER[0]).write_text(text + "\n", encoding="utf-8")
        if ours:
            msgspec.structs.replace(ModelSettings.read(folder), base=base).write(scratch)
        if learned := read_learned(folder):
            learned.write(scratch)
        # safetensors keeps them to their owner
        (scratch / ADAPTER[1]).chmod((scratch / ADAPTER[0]).stat().st_mode)
    old, new = ((place / ADAPTER[1]).stat().st_size for place in (folder, out))
    return ShrinkReport(lora.rank, old, new, *_losses(norms))


def truncate_update(
    down: Tensor, up: Tensor, rank: int, factor: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """The nearest update of a smaller rank.

    The new factors share each singular value evenly, as its square root, so that both learn at one
    pace when training goes on.

    Args:
        down: (R, inputs) factor A.
        up: (outputs, R) factor B.
        rank: of the result, at most R.
        factor: that the update counts: alpha / R.

    Returns:
        In float64, A of (rank, inputs) and B of (outputs, rank), whose product has the factor in
        it, and the R singular values of ``factor * B @ A``, falling; fewer for layers narrower
        than R.
    """
    # Only the small core needs to be decomposed: B = Q_b R_b, A^T = Q_a R_a
    left, left_core = torch.linalg.qr(up.double())
    right, right_core = torch.linalg.qr(down.double().T)
    u, values, v = torch.linalg.svd(factor * left_core @ right_core.T, full_matrices=False)
    root = values[:rank].sqrt()
    new_down = root[:, None] * (v[:rank] @ right.T)
    new_up = left @ u[:, :rank] * root
    return new_down.contiguous(), new_up.contiguous(), values


def _check_rank(name: str, old: int, new: int) -> None:
    if old == 1:
        raise InputError(f"{name}: its updates have rank 1, the smallest there is; nothing to cut")
    if new < 1:
        raise InputError(f"--rank {new}: a rank is 1 or more; give one from 1 to {old - 1}")
    if new == old:
        raise InputError(f"--rank {new}: {name} has this rank already; give a smaller one")
    if new > old:
        raise InputError(
            f"--rank {new}: the updates of {name} have rank {old}; give one from 1 to {old - 1}"
        )


def _layers(state: dict[str, Tensor]) -> Iterator[str]:
    """Names of the layers that are updated."""
    for name in sorted(state):
        if name.endswith(_DOWN):
            yield name.removesuffix(_DOWN)


def _losses(norms: dict[str, tuple[float, float]]) -> tuple[float, float, str]:
    """Shares that are lost: of all, and of the layer that loses most; and its name."""
    shares = {layer: _share(lost, whole) for layer, (whole, lost) in norms.items()}
    layer = max(shares, key=shares.__getitem__)
    whole, lost = (sum(column) for column in zip(*norms.values(), strict=True))
    return _share(lost, whole), shares[layer], layer


def _share(part: float, whole: float) -> float:
    """Of an update of nothing, nothing."""
    return part / whole if whole else 0.0
