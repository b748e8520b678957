"""Many questions about many images, as tokens: those that fit go together, all come back in order.

read      image + ids ─► prefix_cache ─► queries, for as many images as there is room for
generate  queries ─► groups of a shape ─► decoding (or speculation, uncached) ─► answers
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from transformers import PreTrainedModel

from locvlm.inference import speculation, uncached
from locvlm.inference.batching import Batching
from locvlm.inference.decoding import Answer, can_cache_prefix, decode, select_likeliest
from locvlm.inference.likelihood import log_likelihoods
from locvlm.inference.prefix_cache import PrefixCache
from locvlm.inference.sampling import Sampling, digest_view
from locvlm.media.opening import Media, open_media
from locvlm.models.chat_tokens import ChatTokens

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Query:
    """One question to answer."""

    prefix: Any  # the image: a `Prefix` that the model has read, or an `UncachedPrefix`
    ids: list[int]  # the question
    image: str = ""  # the image's digest, where answers are drawn (`sampling`)
    sample: int = 1  # which of several answers to it, likewise


class BatchedModel:
    """A model that answers questions in batches.

    Args:
        model: what answers.
        chat: of its processor.
        frames: how many of a clip the model reads; None: it reads images alone.
        guesses: gives how answers often begin (`speculation`); called where it is needed.
        sampling: how answers are drawn; None: greedy.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        chat: ChatTokens,
        frames: int | None,
        guesses: Callable[[], Sequence[Sequence[int]]],
        sampling: Sampling | None = None,
    ):
        self.model = model
        self.stops = chat.stops(model)
        self.prefixes = PrefixCache(model, chat, frames)
        self._frames = frames
        self._guesses = guesses
        self._sampling = sampling
        self._caches_prefix = can_cache_prefix(model)

    def read(
        self, questions: Sequence[tuple[Media, Sequence[list[int]]]], batching: Batching
    ) -> Iterator[list[Query]]:
        """The questions with their prefixes, for as many images at a time as there is room for."""
        queries: list[Query] = []
        n_images = 0
        prefixes = self.prefixes.read([image for image, _ in questions], batching)
        for prefix, (image, ids_of_each) in zip(prefixes, questions, strict=True):
            drawn = self._sampling is not None and len(ids_of_each) > 0
            digest = digest_view(open_media(image, self._frames)) if drawn else ""
            queries += [Query(prefix, ids, digest) for ids in ids_of_each]
            n_images += 1
            if batching.tokens and n_images >= batching.rows(prefix.length):
                yield queries
                queries, n_images = [], 0
        yield queries

    def generate(
        self, queries: Sequence[Query], max_new_tokens: int, batching: Batching
    ) -> list[Answer]:
        """The answer to each, cut at `max_new_tokens`."""

        def answer(batch: list[int]) -> list[Answer]:
            prefixes, ids = [queries[i].prefix for i in batch], [queries[i].ids for i in batch]
            rest = (self.stops, max_new_tokens)
            select = select_likeliest
            if self._sampling is not None:
                keys = [(q.image, q.ids, q.sample) for q in map(queries.__getitem__, batch)]
                select = self._sampling.draws(keys, max_new_tokens)
            if not self._caches_prefix:
                return uncached.decode_uncached(self.model, prefixes, ids, *rest, select)
            if len(ids) == 1 and speculation.can_guess(prefixes[0]):
                one = (self.model, prefixes[0], ids[0])
                return [speculation.decode_speculatively(*one, *rest, self._guesses(), select)]
            return decode(self.model, prefixes, ids, *rest, select, steps=batching.steps)

        lengths = [(len(query.ids),) for query in queries]
        return self._map(answer, queries, lengths, batching, max_new_tokens)

    def log_likelihoods(
        self, queries: Sequence[Query], answers: Sequence[Sequence[int]], batching: Batching
    ) -> list[float]:
        """The log-likelihood of each answer to its question, in nats."""
        score_batch = log_likelihoods if self._caches_prefix else uncached.uncached_log_likelihoods

        def score(batch: list[int]) -> list[float]:
            prefixes, ids = [queries[i].prefix for i in batch], [queries[i].ids for i in batch]
            return score_batch(self.model, prefixes, ids, [answers[i] for i in batch])

        pairs = zip(queries, answers, strict=True)
        lengths = [(len(query.ids), len(answer)) for query, answer in pairs]
        return self._map(score, queries, lengths, batching)

    def _map(
        self,
        function: Callable[[list[int]], list[R]],
        queries: Sequence[Query],
        lengths: Sequence[tuple[int, ...]],
        batching: Batching,
        more: int = 0,
    ) -> list[R]:
        """The results for all queries of a function that takes those that go together.

        Args:
            function: of places in `queries`, with little padding between them, or with none.
            queries: the questions.
            lengths: tokens of each, and of its answer where it is known.
            batching: how many go together.
            more: tokens that are added to each.
        """

        def group_key(i: int) -> tuple[int, ...]:
            prefix = queries[i].prefix
            return (prefix.length,) if self._caches_prefix else (id(prefix), *lengths[i])

        results: dict[int, R] = {}
        order = sorted(range(len(queries)), key=lambda i: (group_key(i), sum(lengths[i])))
        for _, group in groupby(order, key=group_key):
            places = list(group)
            longest = queries[places[-1]].prefix.length + sum(lengths[places[-1]]) + more
            most = batching.rows(longest)
            for start in range(0, len(places), most):
                batch = places[start : start + most]
                results.update(zip(batch, function(batch), strict=True))
        return [results[i] for i in range(len(queries))]
