"""Ask a model where things are and what is there, in the pixels of your own image.

The way of a photo through `locate`, with the function of each step:

    commands/locate.py       locate             file, words
        │ Predictor.open     media/opening.py   decoded once: RGB, as displayed
        ▼
    predictor.locate_many    "Where is the object described dog …?", and the frame: what the
        │                    model sees of the photo
        ▼
    prefix_cache.read        the photo and the chat before the question: keys and values
        ▼
    decoding.decode          tokens of the answer, greedy
        ▼                    (speculation: one question alone; uncached: some model families)
    predictor._decode_text   "It is located at (4,52,13,63)"
        ▼
    coordinates.parse_report numbers in the model's frame → Box in pixels of the photo
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice
from typing import Any

from transformers import PreTrainedModel

from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, Location, Size, coords_of
from locvlm.inference import speculation, uncached
from locvlm.inference.batching import batching_for
from locvlm.inference.decoding import Answer, can_cache_prefix, decode
from locvlm.inference.likelihood import log_likelihoods
from locvlm.inference.prefix_cache import PrefixCache
from locvlm.instructions.objectives import locpred, negpred, revloc
from locvlm.media.opening import Media, View, open_media
from locvlm.models.chat_template import control_tokens
from locvlm.models.chat_tokens import ChatTokens
from locvlm.models.video_llava.processor import frames_of

WHERE, WHAT = locpred.PROMPTS[0], revloc.PROMPTS[0]

MAX_NEW_TOKENS = 64
SQUARE = (100, 100)  # pixels: any picture
BOXES = (Box(12, 12, 34, 34), Box(56, 56, 78, 78))  # in it, without a digit in common
ROUNDING = 1.0  # pixels that a given location may reach out of the picture


@dataclass(frozen=True, slots=True)
class Located:
    """Where an object is."""

    box: Box | None  # pixels of the picture as displayed; None: absent, or no box in the answer
    answer: str  # text of the model
    clipped: int  # locations in the answer that reached out of the picture


@dataclass(frozen=True, slots=True)
class _Query:
    """One question to answer."""

    prefix: Any  # the picture: a `Prefix` that the model has read, or an `Unread` one
    ids: list[int]  # the question


class Predictor:
    """Answers questions about pictures, deterministically (greedy decoding).

    A picture is a path or a PIL image; of a model that reads clips, also the path of a clip or a
    `Clip`. Locations are in the pixels of the picture *as displayed*:
    a photo whose EXIF orientation says so is turned first (`media.images.open_image`).
    The picture asked about last is remembered, so further questions about it are fast. In bfloat16
    a rounding may differ with the number of questions that are asked together.

    Args:
        model: any image-text-to-text model. Of most families a picture is read once for all its
            questions (`decoding.remembers`), of others with each.
        processor: the model's; its chat template and frame are used.
        coordinates: the format that the model was trained to speak.
        name: what reports call the model.

    Attributes:
        frames: of a clip, that the model reads; None: it reads pictures alone.
        batching: how much goes together on the model's device.
        truncated: how many answers so far were cut at the limit of tokens.
        decoding: how answers are made, for the record.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        processor: Any,
        coordinates: CoordinateFormat,
        *,
        name: str = "model",
    ):
        self.name = name
        self.model = model
        self.processor = processor
        self.coordinates = coordinates
        self.frames = frames_of(processor)
        self.batching = batching_for(model)
        self.truncated = 0
        self.decoding = {
            "method": "greedy",
            "max_new_tokens": MAX_NEW_TOKENS,
            "dtype": str(model.dtype).removeprefix("torch."),
        }
        self._chat = ChatTokens(processor)
        self._control = control_tokens(processor, self._chat.chat)
        self._stops = self._chat.stops(model)
        self._special = self._special_tokens()
        self._prefixes = PrefixCache(model, self._chat, self.frames)
        self._caches_prefix = can_cache_prefix(model)

    def locate(self, image: Media, what: str) -> Located:
        """Where `what` is, as a box in pixels. Raises InputError (bad picture, empty `what`)."""
        return self.locate_many(image, [what])[0]

    def locate_many(self, image: Media, what: Sequence[str]) -> list[Located]:
        """As `locate` for each of `what`, faster than one by one."""
        for item in what:
            _require_text(item, "what to locate")
        view = self.open(image)
        kind = self.coordinates.repr_of("box")
        questions = [WHERE.format(category=item.strip(), repr=kind) for item in what]
        frame = self.frame(view.size)
        return [self._parse_answer(answer, frame) for answer in self.answer(view, questions)]

    def describe(self, image: Media, location: Location) -> str:
        """What is at a box or point, given in pixels. Raises InputError (bad picture, outside)."""
        return self.describe_many(image, [location])[0]

    def describe_many(self, image: Media, locations: Sequence[Location]) -> list[str]:
        """As `describe` for each location, faster than one by one."""
        view = self.open(image)
        for location in locations:
            _require_inside(location, view.size)
        frame = self.frame(view.size)
        places = [self.coordinates.encode(location, frame) for location in locations]
        return self.answer(view, [WHAT.format(loc=place) for place in places])

    def ask(self, image: Media, question: str) -> str:
        """The answer to any question about the picture. Raises InputError (bad picture, empty)."""
        return self.answer(image, [question])[0]

    def answer(
        self, image: Media, questions: Sequence[str], *, max_new_tokens: int = MAX_NEW_TOKENS
    ) -> list[str]:
        """The model's words to each question, none of which knows of another.

        The picture passes the model once. Answers that reach `max_new_tokens` are cut there and
        counted in `truncated`. Raises InputError for a bad picture or question.
        """
        return self.answer_all([(image, questions)], max_new_tokens=max_new_tokens)[0]

    def answer_all(
        self,
        asked: Sequence[tuple[Media, Sequence[str]]],
        *,
        max_new_tokens: int = MAX_NEW_TOKENS,
    ) -> list[list[str]]:
        """As `answer` for each picture with its questions, faster than one by one."""
        if max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be at least 1, not {max_new_tokens}")
        parts = self._read_queries(asked)
        answers = [
            answer for queries in parts for answer in self._generate(queries, max_new_tokens)
        ]
        self.truncated += sum(not answer.complete for answer in answers)
        texts = map(self._decode_text, answers)
        return [[next(texts) for _ in questions] for _, questions in asked]

    def choose_all(
        self, asked: Sequence[tuple[Media, Sequence[str]]], choices: Sequence[Sequence[str]]
    ) -> list[list[str]]:
        """As `answer_all`, but for each question the likeliest of its `choices`, in one pass.

        What would follow is left open: "Yes" stands for "Yes, it is located at …" too. So none of
        the choices should be the beginning of another.

        Args:
            asked: pictures with their questions, Q in all.
            choices: the answers that each question may have (Q of them, at least one each).
        """
        log_probs = self._choice_log_probs(asked, choices)
        best = iter([_most_likely(texts, list(islice(log_probs, len(texts)))) for texts in choices])
        return [[next(best) for _ in questions] for _, questions in asked]

    def log_likelihoods(
        self, asked: Sequence[tuple[Media, Sequence[str]]], answers: Sequence[str]
    ) -> list[float]:
        """The log-probability that the answer to a question begins so, in nats.

        Raises InputError for a bad picture, question or beginning.

        Args:
            asked: pictures with their questions, Q in all.
            answers: the beginnings (Q of them).
        """
        for text in answers:
            _require_text(text, "an answer")
        return list(self._choice_log_probs(asked, [[text] for text in answers]))

    @property
    def at_once(self) -> int:
        """How many questions are worth asking together on this device."""
        return self.batching.questions

    def _read_queries(self, asked: Sequence[tuple[Media, Sequence[str]]]) -> Iterator[list[_Query]]:
        """The questions with their prefixes, for as many images at a time as there is room for."""
        tokens = [[self._encode_question(text) for text in texts] for _, texts in asked]
        queries: list[_Query] = []
        n_images = 0
        prefixes = self._prefixes.read([image for image, _ in asked], self.batching)
        for prefix, questions in zip(prefixes, tokens, strict=True):
            queries += [_Query(prefix, ids) for ids in questions]
            n_images += 1
            if self.batching.tokens and n_images >= self.batching.rows(prefix.length):
                yield queries
                queries, n_images = [], 0
        yield queries

    def _generate(self, queries: Sequence[_Query], max_new_tokens: int) -> list[Answer]:
        answers: dict[int, Answer] = {}
        lengths = [(len(query.ids),) for query in queries]
        for batch in self._batches(queries, lengths, max_new_tokens):
            prefixes, ids = [queries[i].prefix for i in batch], [queries[i].ids for i in batch]
            found = self._decode(prefixes, ids, max_new_tokens)
            answers.update(zip(batch, found, strict=True))
        return [answers[i] for i in range(len(queries))]

    def _decode(
        self, prefixes: Sequence[Any], ids: Sequence[list[int]], max_new_tokens: int
    ) -> list[Answer]:
        model, stops = self.model, self._stops
        if not self._caches_prefix:
            return uncached.decode_uncached(model, prefixes, ids, stops, max_new_tokens)
        if len(ids) == 1 and speculation.can_guess(prefixes[0]):
            guesses = self._common_starts
            return [
                speculation.decode_speculatively(
                    model, prefixes[0], ids[0], stops, max_new_tokens, guesses
                )
            ]
        steps = self.batching.steps
        return decode(model, prefixes, ids, stops, max_new_tokens, steps=steps)

    @cached_property
    def _common_starts(self) -> list[list[int]]:
        """How the answer to `locate` begins, up to the numbers, where a thing is there or not."""
        absent = self._chat.turn("?", negpred.ANSWER).answered
        end = next((i for i, token in enumerate(absent) if token in self._stops), None)
        if "box" not in self.coordinates.kinds:
            return [absent[:end]]
        frame = self.frame(SQUARE)
        places = [self.coordinates.encode(box, frame) for box in BOXES]
        texts = [locpred.ANSWER.replace("{loc}", place) for place in places]
        there = speculation.common_start([self._chat.turn("?", text).answered for text in texts])
        return [there, absent[:end]]

    def _choice_log_probs(
        self, asked: Sequence[tuple[Media, Sequence[str]]], choices: Sequence[Sequence[str]]
    ) -> Iterator[float]:
        """The log-likelihood of each choice of each question, one after the other."""
        options = iter([[self._encode_answer_start(text) for text in texts] for texts in choices])
        log_probs: list[float] = []
        for queries in self._read_queries(asked):
            pairs = [(query, ids) for query in queries for ids in next(options)]
            log_probs += self._log_probs([query for query, _ in pairs], [ids for _, ids in pairs])
        return iter(log_probs)

    def _log_probs(
        self, queries: Sequence[_Query], answers: Sequence[Sequence[int]]
    ) -> list[float]:
        """The log-likelihood of each answer to its question."""
        log_probs: dict[int, float] = {}
        score = log_likelihoods if self._caches_prefix else uncached.uncached_log_likelihoods
        lengths = [
            (len(query.ids), len(answer)) for query, answer in zip(queries, answers, strict=True)
        ]
        for batch in self._batches(queries, lengths):
            prefixes, ids = [queries[i].prefix for i in batch], [queries[i].ids for i in batch]
            found = score(self.model, prefixes, ids, [answers[i] for i in batch])
            log_probs.update(zip(batch, found, strict=True))
        return [log_probs[i] for i in range(len(queries))]

    def _batches(
        self, queries: Sequence[_Query], lengths: Sequence[tuple[int, ...]], more: int = 0
    ) -> Iterator[list[int]]:
        """Places in `queries` of those that go together: with little padding, or with none.

        Args:
            queries: the questions.
            lengths: tokens of each, and of its answer where it is known.
            more: tokens that are added to each.
        """

        def group_key(i: int) -> tuple[int, ...]:
            prefix = queries[i].prefix
            return (prefix.length,) if self._caches_prefix else (id(prefix), *lengths[i])

        order = sorted(range(len(queries)), key=lambda i: (group_key(i), sum(lengths[i])))
        for _, group in groupby(order, key=group_key):
            places = list(group)
            longest = queries[places[-1]].prefix.length + sum(lengths[places[-1]]) + more
            most = self.batching.rows(longest)
            for start in range(0, len(places), most):
                yield places[start : start + most]

    def open(self, image: Media) -> View:
        """A picture or clip as the model is shown it. Raises InputError where it cannot be."""
        return open_media(image, self.frames)

    def frame(self, size: Size) -> Frame:
        """What the model sees of a picture of `size` (width, height), as displayed."""
        return self.coordinates.frame_on(self.processor, size)

    def _parse_answer(self, answer: str, frame: Frame) -> Located:
        report = self.coordinates.parse_report(answer, frame)
        boxes = [place for place in report.locations if isinstance(place, Box)]
        box = boxes[0] if boxes and not negpred.says_absent(answer) else None
        return Located(box, answer, report.n_clipped)

    def _encode_question(self, question: str) -> list[int]:
        _require_text(question, "the question")
        for token in self._control:
            if token in question:
                raise InputError(
                    f"the question {question[:60]!r} holds the control text {token!r}; leave it out"
                )
        return self._chat.question(question)

    def _special_tokens(self) -> set[int]:
        """Tokens that are no words of an answer."""
        tokenizer = self.processor.tokenizer
        roles = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
        named = [getattr(tokenizer, f"{role}_token", None) for role in roles]
        texts = {text for text in (*named, *self._control) if text}
        ids: list[int] = tokenizer.convert_tokens_to_ids(sorted(texts))
        return set(ids)

    def _encode_answer_start(self, text: str) -> list[int]:
        """The beginning of an answer."""
        return self._chat.tokens(self._chat.chat.lead + text)

    def _decode_text(self, answer: Answer) -> str:
        # Not all special tokens: some families write locations in them
        ids = [token for token in answer.ids if token not in self._special]
        text: str = self.processor.tokenizer.decode(ids, skip_special_tokens=False)
        return text.strip()


def _most_likely(texts: Sequence[str], log_probs: Sequence[float]) -> str:
    return texts[log_probs.index(max(log_probs))]


def _require_text(text: str, name: str) -> None:
    if not text.strip():
        raise InputError(f"{name} is empty; name an object or ask a question")


def _require_inside(location: Location, size: Size) -> None:
    """A location in other pixels than the picture's is the most common mistake: not clipped."""
    clipped = coords_of(location.clip(*size))
    if any(abs(a - b) > ROUNDING for a, b in zip(coords_of(location), clipped, strict=True)):
        numbers = ",".join(f"{number:g}" for number in coords_of(location))
        raise InputError(
            f"location {numbers} reaches out of the {size[0]} x {size[1]} picture; "
            "give it in the pixels of the picture as displayed"
        )
