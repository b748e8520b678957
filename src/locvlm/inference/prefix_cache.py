"""Pictures, each with the chat before its questions, as a model remembers them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

import torch
from transformers import BatchFeature, PreTrainedModel

from locvlm.inference import uncached
from locvlm.inference.batching import Batching
from locvlm.inference.decoding import Prefix, read_prefix, read_prefixes, remembers
from locvlm.inference.uncached import Unread
from locvlm.media.opening import Media, open_media
from locvlm.models.chat_tokens import ChatTokens

THREADS = min(16, os.cpu_count() or 1)  # that open pictures while a GPU is to be kept busy


class Reader:
    """Reads pictures or clips, and remembers the last that was read by itself.

    Args:
        model: what reads.
        chat: of its processor.
        frames: of a clip, that the model reads; None: it reads pictures alone.
    """

    def __init__(self, model: PreTrainedModel, chat: ChatTokens, frames: int | None):
        self.model = model
        self._chat = chat
        self._frames = frames
        self._last: tuple[str, Prefix | Unread] | None = None

    def read(self, images: Sequence[Media], batching: Batching) -> Iterator[Prefix | Unread]:
        """What is remembered of each, in order. Raises InputError where one cannot be opened."""
        for start in range(0, len(images), batching.pictures):
            yield from self._read(images[start : start + batching.pictures], batching)

    def _read(self, images: Sequence[Media], batching: Batching) -> Iterator[Prefix | Unread]:
        if len(images) == 1:
            yield self._one(self._inputs(images[0]))
            return
        with ThreadPoolExecutor(THREADS) as pool:
            prepared = list(pool.map(self._inputs, images))
        for _, group in groupby(prepared, key=_shapes):
            alike = list(group)
            most = batching.rows(alike[0]["input_ids"].shape[1])
            for start in range(0, len(alike), most):
                some = alike[start : start + most]
                rows = {name: torch.cat([inputs[name] for inputs in some]) for name in some[0]}
                yield from read_prefixes(self.model, self._placed(BatchFeature(rows)))

    def _one(self, inputs: Any) -> Prefix | Unread:
        """Read by the model unless just done."""
        key = _digest(inputs)
        if self._last is None or self._last[0] != key:
            read = read_prefix if remembers(self.model) else uncached.keep
            self._last = (key, read(self.model, self._placed(inputs)))
        return self._last[1]

    def _inputs(self, image: Media) -> Any:
        return self._chat.prefix(open_media(image, self._frames))

    def _placed(self, inputs: Any) -> Any:
        return inputs.to(self.model.device, dtype=self.model.dtype)  # only floats are cast


def _shapes(inputs: Mapping[str, torch.Tensor]) -> list[tuple[str, torch.Size]]:
    return [(name, value.shape) for name, value in inputs.items()]


def _digest(inputs: Mapping[str, torch.Tensor]) -> str:
    """Of the picture: two may have the same pixels in tiles, and differ in size."""
    digest = hashlib.sha256()
    for name in sorted(inputs):
        digest.update(inputs[name].numpy().tobytes())
    return digest.hexdigest()
