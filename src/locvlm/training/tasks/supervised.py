"""The loss on answers that are given: next-token prediction, and what may be added to it.

Which tokens count is decided in one place, `data.collator.label_answers`: it labels the answers'
tokens and marks all others as IGNORED. A layout (`data.packed_rows`, `data.padded_rows`) turns the
labels into the `logit_index` and the `labels` of a batch, and `answer_loss` looks at nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from locvlm.models.video_llava.processor import frames_of
from locvlm.training.auxiliary.readout import Readout
from locvlm.training.data.collator import Collator, EncodedConversation
from locvlm.training.data.feature_cache import FeatureStore
from locvlm.training.data.sampler import Visit, VisitSampler
from locvlm.training.data.skipped_images import SkippedImages
from locvlm.training.data.training_batch import TrainingBatch
from locvlm.training.tasks.base import Figures, LazyDataset


class AnswerTask:
    """Next-token loss on the answers (arXiv 2404.07449), the mean over the images of a batch.

    Args:
        visits: what is asked, in which order.
        collator: of the model that is trained.
        count: how many images are visited.
        layout: makes a batch of encoded conversations.
        features: the encoder's outputs, of whole images as they are; without them, images are
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
        self.data = LazyDataset(count, self._item)
        self.batch = layout
        self.visits, self.collator, self.features = visits, collator, features
        self.guidance = guidance
        self.skipped = SkippedImages(len(visits.conversations))
        self.readout, self.readout_weight = readout, readout_weight

    def _item(self, number: int) -> EncodedConversation:
        """A visit; in place of a picture that cannot be shown, the next that can."""
        return self.visits.show(number, self._encode, self.skipped)

    def _encode(self, visit: Visit) -> EncodedConversation:
        conversation, flipped = visit.conversation, visit.flipped
        if self.features is None:
            view = visit.open(frames_of(self.collator.processor))
            self.skipped.note(conversation.image, view)
            return self.collator.encode(conversation, view, flipped=flipped)
        features = self.features.get(Path(conversation.image), flipped)
        encoded = self.collator.encode(conversation, flipped=flipped)
        return replace(encoded, image_inputs={"pixel_values": features[None]})

    def loss(self, model: Any, batch: TrainingBatch) -> tuple[torch.Tensor, Figures]:
        """The loss of one forward pass of `model`, whatever it is wrapped in.

        Nothing here asks a GPU for a number: figures are tensors where they come from the model.
        """
        logits = model(**batch.inputs, use_cache=False).logits
        loss, accuracy = answer_loss(logits, batch)
        figures: Figures = {"answer_loss": loss.detach(), "token_accuracy": accuracy}
        figures["learned_tokens"] = len(batch.labels)
        if batch.truncated:
            figures["truncated_answers"] = batch.truncated
        guides = batch.inputs.get("guides")
        if guides is not None and (guidance := guides.loss()) is not None:
            loss = loss + self.guidance * guidance
            figures["guidance_loss"] = guidance.detach()
        if self.readout is not None and batch.places is not None:
            distance = self.readout.loss(batch.places)
            loss = loss + self.readout_weight * distance
            if len(batch.places.token_index):
                figures["readout_loss"] = distance.detach()
            if batch.places.left_out:
                figures["readout_left_out"] = batch.places.left_out
        return loss, figures


def answer_loss(logits: torch.Tensor, batch: TrainingBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean over images of the mean over their learned tokens, however they are laid out.

    Args:
        logits: (R, K, V) of the batch.

    Returns:
        The loss, and the share of the learned tokens that are likeliest.
    """
    predicted = logits.flatten(0, 1)
    if len(predicted) > len(batch.labels):  # else all are learned
        predicted = predicted.index_select(0, batch.logit_index)
    predicted = predicted.float()
    each = F.cross_entropy(predicted, batch.labels, reduction="none")
    accuracy = (predicted.detach().argmax(-1) == batch.labels).float().mean()
    return (each * batch.weights).sum(), accuracy
