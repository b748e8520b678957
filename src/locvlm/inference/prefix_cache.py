"""Each image with the chat before its questions, read by the model once and kept as a prefix."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

import torch
from transformers import BatchFeature, PreTrainedModel

from locvlm.errors import UnusableImageError
from locvlm.inference import uncached
from locvlm.inference.batching import Batching
from locvlm.inference.decoding import Prefix, can_cache_prefix, read_prefix, read_prefixes
from locvlm.inference.uncached import UncachedPrefix
from locvlm.media.opening import Media, open_media
from locvlm.models.chat_tokens import ChatTokens

THREADS = min(16, os.cpu_count() or 1)  # that open images while a GPU is to be kept busy


class PrefixCache:
    """Reads images or clips; keeps the prefix of the last one that was read alone.

    Args:
        model: what reads them.
        chat: of its processor.
        frames: how many of a clip the model reads; None: it reads images alone.
    """

    def __init__(self, model: PreTrainedModel, chat: ChatTokens, frames: int | None):
        self.model = model
        self._chat = chat
        self._frames = frames
        self._last: tuple[str, Prefix | UncachedPrefix] | None = None

    def read(
        self, images: Sequence[Media], batching: Batching
    ) -> Iterator[Prefix | UncachedPrefix]:
        """The prefix of each, in order.

        Raises:
            InputError: one cannot be opened.
            UnusableImageError: the processor refuses one, and its place is told.
        """
        numbered = list(enumerate(images))
        for start in range(0, len(images), batching.images):
            yield from self._read_batch(numbered[start : start + batching.images], batching)

    def _read_batch(
        self, images: Sequence[tuple[int, Media]], batching: Batching
    ) -> Iterator[Prefix | UncachedPrefix]:
        if len(images) == 1:
            yield self._read_one(self._prepare(images[0]))
            return
        with ThreadPoolExecutor(THREADS) as pool:
            prepared = list(pool.map(self._prepare, images))
        for _, group in groupby(prepared, key=_shapes):
            alike = list(group)
            most = batching.rows(alike[0]["input_ids"].shape[1])
            for start in range(0, len(alike), most):
                some = alike[start : start + most]
                rows = {name: torch.cat([inputs[name] for inputs in some]) for name in some[0]}
                yield from read_prefixes(self.model, self._to_model(BatchFeature(rows)))

    def _read_one(self, inputs: Any) -> Prefix | UncachedPrefix:
        """Read by the model, unless it is the one that was read last."""
        key = _digest(inputs)
        if self._last is None or self._last[0] != key:
            read = read_prefix if can_cache_prefix(self.model) else uncached.prepare_prefix
            self._last = (key, read(self.model, self._to_model(inputs)))
        return self._last[1]

    def _prepare(self, numbered: tuple[int, Media]) -> Any:
        """The model's inputs, on the CPU, of an image with its place."""
        place, image = numbered
        try:
            return self._chat.prefix(open_media(image, self._frames))
        except UnusableImageError as error:
            error.place = place
            raise

    def _to_model(self, inputs: Any) -> Any:
        return inputs.to(self.model.device, dtype=self.model.dtype)  # only floats are cast


def _shapes(inputs: Mapping[str, torch.Tensor]) -> list[tuple[str, torch.Size]]:
    return [(name, value.shape) for name, value in inputs.items()]


def _digest(inputs: Mapping[str, torch.Tensor]) -> str:
    """Of the image: two may have the same pixels in tiles, and differ in size."""
    digest = hashlib.sha256()
    for name in sorted(inputs):
        value = inputs[name]
        digest.update(repr(value).encode() if isinstance(value, list) else value.numpy().tobytes())
    return digest.hexdigest()
