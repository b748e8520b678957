"""What a stage learns: the data of one visit and the loss on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import Dataset

from locvlm.training.collator import IGNORED, Collator
from locvlm.training.features import FeatureStore
from locvlm.training.guidance import Guide
from locvlm.training.naming import Targets, class_weights, naming_loss
from locvlm.training.visits import Visits


class Task(Protocol):
    """A stage's data, and its loss."""

    @property
    def data(self) -> Dataset[Any]: ...

    def loss(self, model: Any, batch: list[Any]) -> tuple[torch.Tensor, dict[str, float]]:
        """Loss of a batch of items of `data`, and figures for the log."""


class Answering:
    """Next-token loss on the answers of a visit (arXiv 2404.07449), over cached features."""

    def __init__(
        self,
        visits: Visits,
        collator: Collator,
        features: FeatureStore,
        count: int,
        guidance: float = 0.0,  # weight of the guided attention's loss
    ):
        self.guidance = guidance
        self.data = _Items(count, self._item)
        self.visits, self.collator, self.features = visits, collator, features

    def _item(self, number: int) -> tuple[Any, torch.Tensor]:
        conversation, flipped = self.visits.visit(number)
        encoded = self.collator.encode(conversation, flipped=flipped)
        return encoded, self.features.get(Path(conversation.image), flipped)

    def loss(self, model: Any, batch: list[Any]) -> tuple[torch.Tensor, dict[str, float]]:
        (encoded, features), *more = batch
        if more:
            raise ValueError("one picture per micro-batch: its questions are the batch")
        guide = encoded.guide if self.guidance else None
        logits, goal = answer_logits(model, encoded, features, guide)
        loss = F.cross_entropy(logits.float(), goal)
        right = (logits.argmax(-1) == goal).float().mean()
        figures = {"answer_loss": float(loss.detach()), "token_accuracy": float(right)}
        figures["answers"] = len(encoded.lengths)
        if guide is not None and (astray := guide.loss()) is not None:
            loss = loss + self.guidance * astray
            figures["guidance_loss"] = float(astray.detach())
        return loss, figures


def answer_logits(
    model: Any, encoded: Any, features: torch.Tensor, guide: Guide | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (N, V) where an answer's token is next, and those tokens (N,).

    The output layer is the widest of all, so it runs only where something is learned.
    """
    llava = model.model
    device = llava.language_model.device
    ids = encoded.input_ids.to(device)
    embeddings = llava.get_input_embeddings()(ids)
    image = ids == model.config.image_token_index
    projected = llava.multi_modal_projector(features.to(device, torch.float32)[None])[0]
    embeddings = embeddings.masked_scatter(image[:, None], projected.to(embeddings.dtype))
    hidden = llava.language_model(
        inputs_embeds=embeddings[None],
        position_ids=encoded.position_ids.to(device)[None],
        use_cache=False,
        blocks=encoded.blocks.to(device),
        guide=guide.to(device) if guide is not None else None,
    ).last_hidden_state[0]
    before, goal = _targets(encoded)
    return model.lm_head(hidden[before.to(device)]), goal.to(device)


def _targets(encoded: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions whose next token is learned, and that token.

    Every question ends with its own learned tokens and begins with asked ones, so the token
    before a learned one always belongs to the same question.
    """
    learned = (encoded.labels != IGNORED).nonzero()[:, 0]
    return learned - 1, encoded.labels[learned]


class Naming:
    """The loss of `naming`, on whole pictures."""

    def __init__(
        self,
        pictures: Sequence[Path],
        labels: np.ndarray,  # (N, T)
        goal: Targets,
        features: FeatureStore,
        count: int,
        *,
        flip: bool = True,  # half of the visits see the picture mirrored
        seed: int = 0,
    ):
        self.data = _Items(count, self._item)
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
        return self.features.get(self.pictures[row], flipped).float(), labels.reshape(-1)

    def loss(self, model: Any, batch: list[Any]) -> tuple[torch.Tensor, dict[str, float]]:
        features, labels = (torch.stack(part) for part in zip(*batch, strict=True))
        projector = model.model.multi_modal_projector
        device = next(projector.parameters()).device
        out = projector(features.to(device)).float()
        loss, right, placed = naming_loss(
            out, labels.to(device), self.goal.to(device), self.weight.to(device)
        )
        return loss, {"patches_right": float(right), "place_error": float(placed.detach())}


class _Items(Dataset[Any]):
    """`count` items, made when they are asked for."""

    def __init__(self, count: int, make: Any):
        self.count, self.make = count, make

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Any:
        return self.make(number)
