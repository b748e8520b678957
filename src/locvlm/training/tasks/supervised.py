"""What a stage learns: the data of one visit and the loss on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import Dataset

from locvlm.models.video_llava.processor import frames_of
from locvlm.training.auxiliary.readout import Readout
from locvlm.training.data.collator import Collator, EncodedConversation
from locvlm.training.data.feature_cache import FeatureStore
from locvlm.training.data.layouts import TrainingBatch
from locvlm.training.data.sampler import VisitSampler
from locvlm.training.tasks.patch_naming import PatchTargets, class_weights, naming_loss

# figures that are added up, not averaged
SUMMED_FIGURES = frozenset({"truncated_answers", "readout_left_out"})
Figures = dict[str, torch.Tensor | float]


class StageTask(Protocol):
    """A stage's data, and its loss."""

    readout: Readout | None  # trained beside the model

    @property
    def data(self) -> Dataset[Any]: ...

    def batch(self, items: list[Any]) -> Any:
        """Items of `data`, together; it has `.to(device)`."""

    def loss(self, model: Any, batch: Any) -> tuple[torch.Tensor, Figures]:
        """Loss of a batch, and figures for the log; NaN: a share of nothing."""


class AnswerTask:
    """Next-token loss on the answers (arXiv 2404.07449), the mean over the pictures of a batch.

    Args:
        visits: what is asked, in which order.
        collator: of the model that is trained.
        count: how many pictures are visited.
        layout: makes a batch of encoded conversations.
        features: the encoder's outputs, of whole pictures as they are; without them, pictures are
            opened and read by the model.
        guidance: weight of the guided attention's loss.
        readout: reads places out of the model, which it must be watching.
        readout_weight: of its loss.
    """

    def __init__(
        self,
        visits: VisitSampler,
        collator: Collator,
        count: int,
        layout: Callable[[list[EncodedConversation]], TrainingBatch],
        *,
        features: FeatureStore | None = None,
        guidance: float = 0.0,
        readout: Readout | None = None,
        readout_weight: float = 0.0,
    ):
        self.data = _LazyDataset(count, self._item)
        self.batch = layout
        self.visits, self.collator, self.features = visits, collator, features
        self.guidance = guidance
        self.readout, self.readout_weight = readout, readout_weight

    def _item(self, number: int) -> EncodedConversation:
        visit = self.visits.visit(number)
        conversation, flipped = visit.conversation, visit.flipped
        if self.features is None:
            view = visit.open(frames_of(self.collator.processor))
            return self.collator.encode(conversation, view, flipped=flipped)
        encoded = self.collator.encode(conversation, flipped=flipped)
        kept = self.features.get(Path(conversation.image), flipped)
        return replace(encoded, picture={"pixel_values": kept[None]})

    def loss(self, model: Any, batch: TrainingBatch) -> tuple[torch.Tensor, Figures]:
        """The loss of one forward pass of `model`, whatever it is wrapped in.

        Nothing here asks a GPU for a number: figures are tensors where they come from the model.
        """
        logits = model(**batch.inputs, use_cache=False).logits
        loss, right = answer_loss(logits, batch)
        figures: Figures = {"answer_loss": loss.detach(), "token_accuracy": right}
        figures["learned_tokens"] = len(batch.goal)
        if batch.truncated:
            figures["truncated_answers"] = batch.truncated
        guides = batch.inputs.get("guides")
        if guides is not None and (astray := guides.loss()) is not None:
            loss = loss + self.guidance * astray
            figures["guidance_loss"] = astray.detach()
        if self.readout is not None and batch.places is not None:
            off = self.readout.loss(batch.places)
            loss = loss + self.readout_weight * off
            if len(batch.places.at):
                figures["readout_loss"] = off.detach()
            if batch.places.left_out:
                figures["readout_left_out"] = batch.places.left_out
        return loss, figures


def answer_loss(logits: torch.Tensor, batch: TrainingBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean over pictures of the mean over their learned tokens, however they are laid out.

    Args:
        logits: (R, K, V) of the batch.

    Returns:
        The loss, and the share of the learned tokens that are likeliest.
    """
    chosen = logits.flatten(0, 1)
    if len(chosen) > len(batch.goal):  # else all are learned
        chosen = chosen.index_select(0, batch.learned)
    chosen = chosen.float()
    each = F.cross_entropy(chosen, batch.goal, reduction="none")
    right = (chosen.detach().argmax(-1) == batch.goal).float().mean()
    return (each * batch.weight).sum(), right


class PatchNamingTask:
    """The loss of `naming`, on whole pictures."""

    readout: Readout | None = None

    def __init__(
        self,
        pictures: Sequence[Path],
        labels: np.ndarray,  # (N, T)
        goal: PatchTargets,
        features: FeatureStore,
        count: int,
        *,
        flip: bool = True,  # half of the visits see the picture mirrored
        seed: int = 0,
    ):
        self.data = _LazyDataset(count, self._item)
        self.pictures, self.goal, self.features = pictures, goal, features
        self.flip, self.seed = flip, seed
        self.labels = torch.from_numpy(labels)
        self.weight = class_weights(labels, len(goal.categories) + 1)

    def _item(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Features and labels of a picture; mirrored ones have their labels mirrored."""
        chance = np.random.default_rng((self.seed, number))
        row, flipped = int(chance.integers(len(self.pictures))), bool(chance.integers(2))
        flipped = flipped and self.flip
        grid = int(self.labels.shape[1] ** 0.5)
        labels = self.labels[row].view(grid, grid)
        labels = labels.flip(1) if flipped else labels
        features = self.features.get(self.pictures[row], flipped)
        return features[: labels.numel()].float(), labels.reshape(-1)  # without a twin's

    def batch(self, items: list[Any]) -> list[torch.Tensor]:
        """Features (N, T, D) and labels (N, T)."""
        return [torch.stack(part) for part in zip(*items, strict=True)]

    def loss(self, model: Any, batch: Any) -> tuple[torch.Tensor, Figures]:
        """The loss of the adapter's outputs alone; `model` is not wrapped in anything else."""
        features, labels = batch
        projector = unwrapped(model).model.multi_modal_projector
        device = next(projector.parameters()).device
        out = projector(features.to(device)).float()
        loss, right, placed = naming_loss(
            out, labels.to(device), self.goal.to(device), self.weight.to(device)
        )
        return loss, {"patches_right": right, "place_error": placed.detach()}


def unwrapped(model: Any) -> Any:
    """The model inside a PEFT wrapper."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


class _LazyDataset(Dataset[Any]):
    """`count` items, made when they are asked for."""

    def __init__(self, count: int, make: Any):
        self.count, self.make = count, make

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Any:
        return self.make(number)
