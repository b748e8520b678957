"""Patch naming: the adapter learns what and where each patch is before any language model runs.

The adapter turns a patch into a vector in the language model's input space. Here it is trained
alone, in seconds per pass over the data: a patch inside a box should point at the language model's
own embedding of the category's name, and carry its place in the picture along directions that no
name uses. The language model then finds words it already knows, at places it can tell apart, and
needs far fewer answers to learn to speak about them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from transformers import LlavaForConditionalGeneration, ProcessorMixin

from locvlm.annotations.base import AnnotatedImage
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.training.adapters import base_model
from locvlm.training.auxiliary.readout import Readout
from locvlm.training.data.feature_cache import FeatureStore
from locvlm.training.tasks.base import Figures, LazyDataset

NOTHING = "background"
PLACES = 16  # width of the place code
UNKNOWN = -1  # a patch that may show something its data set does not annotate


@dataclass(frozen=True)
class PatchTargets:
    """What a patch should become, in the language model's input space of width H."""

    categories: tuple[str, ...]
    names: torch.Tensor  # (C + 1, H) unit vectors; the last is `NOTHING`
    places: torch.Tensor  # (16, H) orthonormal, orthogonal to all names
    norm: float  # typical length of a token embedding

    def to(self, device: torch.device | str) -> PatchTargets:
        """The same on another device."""
        return replace(self, names=self.names.to(device), places=self.places.to(device))


class PatchNamingTask:
    """Stage `naming`: its data are whole images, its loss is `naming_loss`."""

    readout: Readout | None = None

    def __init__(
        self,
        images: Sequence[Path],
        labels: np.ndarray,  # (N, T)
        targets: PatchTargets,
        features: FeatureStore,
        count: int,
        *,
        flip: bool = True,  # half of the visits see the picture mirrored
        seed: int = 0,
    ):
        self.data = LazyDataset(count, self._item)
        self.images, self.targets, self.features = images, targets, features
        self.flip, self.seed = flip, seed
        self.labels = torch.from_numpy(labels)
        self.weights = class_weights(labels, len(targets.categories) + 1)

    def _item(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Features and labels of a picture; mirrored ones have their labels mirrored."""
        chance = np.random.default_rng((self.seed, number))
        row, flipped = int(chance.integers(len(self.images))), bool(chance.integers(2))
        flipped = flipped and self.flip
        grid = int(self.labels.shape[1] ** 0.5)
        labels = self.labels[row].view(grid, grid)
        labels = labels.flip(1) if flipped else labels
        features = self.features.get(self.images[row], flipped)
        return features[: labels.numel()].float(), labels.reshape(-1)  # without a twin's

    def batch(self, items: list[Any]) -> list[torch.Tensor]:
        """Features (N, T, D) and labels (N, T)."""
        return [torch.stack(part) for part in zip(*items, strict=True)]

    def loss(self, model: Any, batch: Any) -> tuple[torch.Tensor, Figures]:
        """The loss of the adapter's outputs alone; `model` is not wrapped in anything else."""
        features, labels = batch
        projector = base_model(model).model.multi_modal_projector
        device = next(projector.parameters()).device
        out = projector(features.to(device)).float()
        loss, accuracy, place_error = naming_loss(
            out, labels.to(device), self.targets.to(device), self.weights.to(device)
        )
        return loss, {"patches_right": accuracy, "place_error": place_error.detach()}


def build_targets(
    model: LlavaForConditionalGeneration, processor: ProcessorMixin, categories: Sequence[str]
) -> PatchTargets:
    """Directions of the categories' names and, orthogonal to them, of places.

    Raises:
        InputError: more categories than the width of the embeddings leaves room for.
    """
    embeddings: Any = model.get_input_embeddings()
    table = embeddings.weight.detach().float()
    if len(categories) + 1 + PLACES > table.shape[1]:
        raise InputError(
            f"{len(categories)} categories and {PLACES} places do not fit into the language "
            f"model's width of {table.shape[1]}; train on fewer categories"
        )
    ids = [_tokens(processor, " " + name) for name in (*categories, NOTHING)]
    vectors = torch.stack([table[i].mean(0) for i in ids])
    names = F.normalize(vectors - table.mean(0), dim=-1)
    generator = torch.Generator().manual_seed(0)
    free = torch.randn(PLACES, table.shape[1], generator=generator)
    span = torch.linalg.qr(names.T).Q
    free -= (free @ span) @ span.T
    places = torch.linalg.qr(free.T).Q.T
    norm = float(table.norm(dim=-1).median())
    return PatchTargets(tuple(categories), names, places.contiguous(), norm)


def _tokens(processor: Any, text: str) -> list[int]:
    ids: list[int] = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def place_code(grid: int) -> torch.Tensor:
    """(grid * grid, 16) sines and cosines of the patch centers, x first, rows first."""
    center = (torch.arange(grid) + 0.5) / grid
    angles = math.pi * center[:, None] * torch.tensor([0.5, 1.0, 2.0, 4.0])
    wave = torch.cat([angles.sin(), angles.cos()], dim=1)  # (grid, 8)
    x = wave[None].expand(grid, grid, -1)
    y = wave[:, None].expand(grid, grid, -1)
    return torch.cat([x, y], dim=-1).flatten(0, 1)


def patch_labels(
    image: AnnotatedImage,
    annotated: Sequence[str],
    categories: Sequence[str],
    grid: int,
    part: Box | None = None,
) -> np.ndarray:
    """(grid * grid,) index of the category of the smallest box that covers each patch's center.

    A patch in no box is `NOTHING` if the data set annotates every category, else `UNKNOWN`.

    Args:
        image: annotated, in original pixels.
        annotated: the categories of its data set.
        categories: of all data sets.
        grid: patches in a row.
        part: what all patches together show, in original pixels: less than the picture where it is
            cropped, more where it is padded; None: the picture.
    """
    part = part or Box(0, 0, image.width, image.height)
    index = {name: i for i, name in enumerate(categories)}
    exhaustive = set(annotated) >= set(categories)
    labels = np.full((grid, grid), len(categories) if exhaustive else UNKNOWN)
    center = (np.arange(grid) + 0.5) / grid
    x, y = part.x1 + center * part.width, part.y1 + center * part.height
    for item in sorted(image.objects, key=lambda item: -item.box.area):
        box = item.box
        inside = np.outer((box.y1 <= y) & (y < box.y2), (box.x1 <= x) & (x < box.x2))
        labels[inside] = index[item.category]
    return labels.reshape(-1)


def naming_loss(
    out: torch.Tensor, labels: torch.Tensor, targets: PatchTargets, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Loss of patch vectors (N, T, H) with labels (N, T).

    Cross-entropy over the names, whose logits are 10 at the typical length of an embedding, plus
    the squared error of the place code; `weights` (C + 1,) balances rare against common names.

    Returns:
        The loss, the share of object patches named right (NaN where there are none) and the
        part of the loss that is the place code's.
    """
    grid = math.isqrt(out.shape[1])
    logits = out @ targets.names.T * (10 / targets.norm)
    known = labels != UNKNOWN
    naming = out.new_zeros(())
    if known.any():  # the mean over no patch would be NaN, and the model with it
        naming = F.cross_entropy(logits[known], labels[known], weight=weights, label_smoothing=0.05)
    code = out @ targets.places.T / (0.25 * targets.norm)
    place_error = F.mse_loss(code, place_code(grid).to(out.device).expand(len(out), -1, -1))
    objects = known & (labels < len(targets.categories))
    accuracy = (logits[objects].argmax(-1) == labels[objects]).float().mean()
    return naming + place_error, accuracy, place_error


def class_weights(labels: np.ndarray, count: int) -> torch.Tensor:
    """(count,) weights that fall with the square root of a name's share, mean 1 over patches.

    `labels` of any shape; all ones where none of them is known.
    """
    counts = np.bincount(labels[labels != UNKNOWN].reshape(-1), minlength=count).astype(float)
    if not counts.any():
        return torch.ones(count)
    weight = 1 / np.sqrt(np.maximum(counts, 50))
    return torch.tensor(weight * counts.sum() / (weight * counts).sum(), dtype=torch.float32)
