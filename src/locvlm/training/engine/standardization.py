"""Standardized inputs for the adapter while it is trained; what is saved is an ordinary layer.

    W·x + b  =  (W·σ) · (x - μ)/σ  +  (b + W·μ)

An adapter may read layers of the encoder side by side whose values differ in size: of
LocVLM-Tiny's three, the standard deviations are 0.13, 0.14 and 0.50. Adam moves all weights by
about as much in a step, so what the large values say is learned first. Here the mean μ and the
standard deviation σ of every channel are measured before the first step, and the adapter's first
layer is written anew as on the right: it says the same, and the optimizer moves W·σ and b + W·μ.
At the end they become W and b again, so that the tuned model stays stock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast
from safetensors.torch import load_file, save_file
from torch import nn

from locvlm.distributed import partial_state
from locvlm.errors import InputError
from locvlm.models.parts import adapter_modules, part_of

MEASURED_IMAGES = 64  # the first visits of a stage, from which its inputs are measured
# A channel that hardly varies would be blown up: none counts as less than this share of the root
# mean square of all standard deviations
FLOOR = 0.01
ROUNDING = 1e-12  # of the square of a mean: less is no variance, but what float32 rounds
WEIGHTS = "standardization.safetensors"  # in a checkpoint


def first_linear(model: nn.Module) -> nn.Linear:
    """The first linear layer of the adapter, as it is trained.

    Args:
        model: maybe wrapped by PEFT.

    Raises:
        InputError: there is none, or several adapters, or it has no bias.
    """
    if len(adapter_modules(model)) > 1:
        raise InputError("the model has several adapters; leave it out")
    for name, module in model.named_modules():
        trained = part_of(name) == "adapter" and ".original_module" not in name
        if trained and type(module) is nn.Linear:
            if module.bias is None:
                raise InputError(f"{name} has no bias to take the means up; leave it out")
            return module
    raise InputError("the adapter has no linear layer; leave it out")


@dataclass(frozen=True)
class Moments:
    """Of a layer's D inputs."""

    mean: torch.Tensor  # (D,) float64
    deviation: torch.Tensor  # (D,) float64, none of them near 0
    still: int = 0  # channels that hardly vary

    @classmethod
    def neutral(cls, width: int) -> Moments:
        """With which inputs stay as they are."""
        return cls(torch.zeros(width).double(), torch.ones(width).double())

    @classmethod
    def of(cls, count: int, total: torch.Tensor, squares: torch.Tensor) -> Moments:
        """From the sums of `count` values of each channel, and of their squares.

        Raises:
            InputError: they are not finite.
        """
        mean = total / count
        variance = squares / count - mean.square()
        if not bool(variance.isfinite().all()):
            raise InputError("standardize: the adapter's inputs are not finite numbers")
        variance[variance < ROUNDING * mean.square()] = 0
        deviation = variance.sqrt()
        least = FLOOR * float(variance.mean().sqrt()) or 1.0  # 1: nothing varies at all
        return cls(mean, deviation.clamp_min(least), int((deviation < least).sum()))

    def __str__(self) -> str:
        least, most = (float(value) for value in self.deviation.aminmax())
        still = f", {self.still} hardly vary" if self.still else ""
        return f"{len(self.mean)} channels had deviations of {least:.2g} to {most:.2g}{still}"

    def broadcast_moments(self) -> Moments:
        """Those of the main process, in every process."""
        device = partial_state().device
        mean, deviation = broadcast([self.mean.to(device), self.deviation.to(device)])
        return Moments(mean, deviation, self.still)


class _LayerReached(Exception):
    """Ends a pass at the layer that is measured: what comes after it is not needed."""


def measure_moments(linear: nn.Linear, passes: Iterable[Callable[[], Any]]) -> Moments:
    """Of what a layer reads.

    Args:
        linear: the layer.
        passes: each runs the model once, as far as the layer.

    Raises:
        InputError: it is not finite.
    """
    count, sums = 0, torch.zeros(2, linear.in_features, dtype=torch.float64)

    def see(module: nn.Module, inputs: Any) -> None:
        nonlocal count
        values = inputs[0].flatten(0, -2).to("cpu", torch.float64)
        count += len(values)
        sums.add_(torch.stack([values.sum(0), values.square().sum(0)]))
        raise _LayerReached

    handle = linear.register_forward_pre_hook(see)
    try:
        with torch.no_grad():
            for run in passes:
                with suppress(_LayerReached):
                    run()
    finally:
        handle.remove()
    assert count, "no pass has reached the layer"
    return Moments.of(count, *sums)


class Standardization:
    """A layer that is trained on standardized inputs, and how they are.

    Args:
        linear: with a bias. Its weights are written in place, so that optimizers and other
            wrappers know them all along.
    """

    def __init__(self, linear: nn.Linear):
        self.linear = linear
        self.mean = linear.weight.new_zeros(linear.in_features)
        self.deviation = linear.weight.new_ones(linear.in_features)

    @contextmanager
    def active(self) -> Iterator[None]:
        """While it lasts, the layer reads standardized inputs; then it is an ordinary one."""
        handle = self.linear.register_forward_pre_hook(self._standardize)
        try:
            yield
        finally:
            handle.remove()
            self._fold()

    def begin(self, moments: Moments) -> None:
        """Write the ordinary layer anew: it reads standardized inputs, and says the same."""
        self.mean.copy_(moments.mean)
        self.deviation.copy_(moments.deviation)
        weight, bias = self._exact()
        self._write(weight * self.deviation, bias + weight @ self.mean.double())

    @contextmanager
    def fold_for_saving(self) -> Iterator[None]:
        """While it lasts, the weights are ordinary ones, to be saved; then what they were."""
        weight, bias = self._exact()
        self._fold()
        try:
            yield
        finally:
            self._write(weight, bias)

    def save(self, checkpoint: Path) -> None:
        """Beside the model of a checkpoint, which is folded: folding is not exact to the bit."""
        tensors = {
            name: tensor.detach().cpu().contiguous() for name, tensor in self._tensors().items()
        }
        save_file(tensors, checkpoint / WEIGHTS)

    def load(self, checkpoint: Path) -> None:
        """What `save` wrote."""
        saved = load_file(checkpoint / WEIGHTS)
        with torch.no_grad():
            for name, tensor in self._tensors().items():
                tensor.copy_(saved[name])

    def _tensors(self) -> dict[str, torch.Tensor]:
        linear = self.linear
        return {
            "mean": self.mean,
            "deviation": self.deviation,
            "weight": linear.weight,
            "bias": linear.bias,
        }

    def _standardize(self, module: nn.Module, inputs: Any) -> torch.Tensor:
        """(…, D) in float32, before an autocast rounds them."""
        (values,) = inputs
        return (values.float() - self.mean) / self.deviation

    def _fold(self) -> None:
        weight, bias = self._exact()
        weight = weight / self.deviation
        self._write(weight, bias - weight @ self.mean.double())

    def _exact(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.linear.weight.detach().double(), self.linear.bias.detach().double()

    def _write(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        with torch.no_grad():
            self.linear.weight.copy_(weight)
            self.linear.bias.copy_(bias)
