"""Ask a model where things are and what is there, in the pixels of your own picture."""

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
from locvlm.inference.decoding import Answer, decode, remembers
from locvlm.inference.likelihood import log_likelihoods
from locvlm.inference.prefix_cache import Reader
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
    answer: str  # what the model said
    clipped: int  # locations in the answer that reached out of the picture


@dataclass(frozen=True, slots=True)
class _Job:
    """One question to answer."""

    prefix: Any  # the picture: a `Prefix` that the model has read, or an `Unread` one
    ids: list[int]  # the question


class Predictor:
    """Answers questions about pictures, deterministically (greedy decoding).

    A picture is a path or a PIL image; of a model that reads clips, also the path of a clip or a
    `Clip`. Locations are in the pixels of the picture *as displayed*:
    a photo whose EXIF orientation says so is turned first (`inference.pictures.open_picture`).
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
        self._unspoken = self._unspoken_tokens()
        self._reader = Reader(model, self._chat, self.frames)
        self._remembers = remembers(model)

    def locate(self, image: Media, what: str) -> Located:
        """Where `what` is, as a box in pixels. Raises InputError (bad picture, empty `what`)."""
        return self.locate_many(image, [what])[0]

    def locate_many(self, image: Media, what: Sequence[str]) -> list[Located]:
        """As `locate` for each of `what`, faster than one by one."""
        for item in what:
            _require_text(item, "what to locate")
        picture = self.open(image)
        described = self.coordinates.repr_of("box")
        questions = [WHERE.format(category=item.strip(), repr=described) for item in what]
        frame = self.frame(picture.size)
        return [self._located(answer, frame) for answer in self.answer(picture, questions)]

    def describe(self, image: Media, location: Location) -> str:
        """What is at a box or point, given in pixels. Raises InputError (bad picture, outside)."""
        return self.describe_many(image, [location])[0]

    def describe_many(self, image: Media, locations: Sequence[Location]) -> list[str]:
        """As `describe` for each location, faster than one by one."""
        picture = self.open(image)
        for location in locations:
            _require_inside(location, picture.size)
        frame = self.frame(picture.size)
        places = [self.coordinates.encode(location, frame) for location in locations]
        return self.answer(picture, [WHAT.format(loc=place) for place in places])

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
        parts = self._jobs(asked)
        answers = [answer for jobs in parts for answer in self._answers(jobs, max_new_tokens)]
        self.truncated += sum(not answer.complete for answer in answers)
        texts = map(self._text, answers)
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
        chances = self._chances_of(asked, choices)
        best = iter([_likeliest(texts, list(islice(chances, len(texts)))) for texts in choices])
        return [[next(best) for _ in questions] for _, questions in asked]

    def log_likelihoods(
        self, asked: Sequence[tuple[Media, Sequence[str]]], answers: Sequence[str]
    ) -> list[float]:
        """The logarithm of the chance that the answer to a question begins so, in nats.

        Raises InputError for a bad picture, question or beginning.

        Args:
            asked: pictures with their questions, Q in all.
            answers: the beginnings (Q of them).
        """
        for text in answers:
            _require_text(text, "an answer")
        return list(self._chances_of(asked, [[text] for text in answers]))

    @property
    def at_once(self) -> int:
        """How many questions are worth asking together on this device."""
        return self.batching.questions

    def _jobs(self, asked: Sequence[tuple[Media, Sequence[str]]]) -> Iterator[list[_Job]]:
        """The questions, with what is remembered of no more pictures than there is room for."""
        tokens = [[self._question_tokens(text) for text in texts] for _, texts in asked]
        jobs: list[_Job] = []
        pictures = 0
        prefixes = self._reader.read([image for image, _ in asked], self.batching)
        for prefix, questions in zip(prefixes, tokens, strict=True):
            jobs += [_Job(prefix, ids) for ids in questions]
            pictures += 1
            if self.batching.tokens and pictures >= self.batching.rows(prefix.length):
                yield jobs
                jobs, pictures = [], 0
        yield jobs

    def _answers(self, jobs: Sequence[_Job], max_new_tokens: int) -> list[Answer]:
        answers: dict[int, Answer] = {}
        lengths = [(len(job.ids),) for job in jobs]
        for batch in self._batches(jobs, lengths, max_new_tokens):
            prefixes, ids = [jobs[i].prefix for i in batch], [jobs[i].ids for i in batch]
            found = self._decode(prefixes, ids, max_new_tokens)
            answers.update(zip(batch, found, strict=True))
        return [answers[i] for i in range(len(jobs))]

    def _decode(
        self, prefixes: Sequence[Any], ids: Sequence[list[int]], max_new_tokens: int
    ) -> list[Answer]:
        model, stops = self.model, self._stops
        if not self._remembers:
            return uncached.decode(model, prefixes, ids, stops, max_new_tokens)
        if len(ids) == 1 and speculation.can_guess(prefixes[0]):
            guesses = self._usual_starts
            return [speculation.decode(model, prefixes[0], ids[0], stops, max_new_tokens, guesses)]
        steps = self.batching.steps
        return decode(model, prefixes, ids, stops, max_new_tokens, steps=steps)

    @cached_property
    def _usual_starts(self) -> list[list[int]]:
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

    def _chances_of(
        self, asked: Sequence[tuple[Media, Sequence[str]]], choices: Sequence[Sequence[str]]
    ) -> Iterator[float]:
        """The log-likelihood of each choice of each question, one after the other."""
        options = iter([[self._answer_tokens(text) for text in texts] for texts in choices])
        chances: list[float] = []
        for jobs in self._jobs(asked):
            pairs = [(job, said) for job in jobs for said in next(options)]
            chances += self._chances([job for job, _ in pairs], [said for _, said in pairs])
        return iter(chances)

    def _chances(self, jobs: Sequence[_Job], answers: Sequence[Sequence[int]]) -> list[float]:
        """The log-likelihood of each answer to its question."""
        chances: dict[int, float] = {}
        score = log_likelihoods if self._remembers else uncached.log_likelihoods
        lengths = [(len(job.ids), len(said)) for job, said in zip(jobs, answers, strict=True)]
        for batch in self._batches(jobs, lengths):
            prefixes, ids = [jobs[i].prefix for i in batch], [jobs[i].ids for i in batch]
            found = score(self.model, prefixes, ids, [answers[i] for i in batch])
            chances.update(zip(batch, found, strict=True))
        return [chances[i] for i in range(len(jobs))]

    def _batches(
        self, jobs: Sequence[_Job], lengths: Sequence[tuple[int, ...]], more: int = 0
    ) -> Iterator[list[int]]:
        """Places in `jobs` of those that go together: with little padding, or with none.

        Args:
            jobs: the questions.
            lengths: tokens of each, and of its answer where it is known.
            more: tokens that are added to each.
        """

        def alike(i: int) -> tuple[int, ...]:
            prefix = jobs[i].prefix
            return (prefix.length,) if self._remembers else (id(prefix), *lengths[i])

        order = sorted(range(len(jobs)), key=lambda i: (alike(i), sum(lengths[i])))
        for _, group in groupby(order, key=alike):
            places = list(group)
            longest = jobs[places[-1]].prefix.length + sum(lengths[places[-1]]) + more
            most = self.batching.rows(longest)
            for start in range(0, len(places), most):
                yield places[start : start + most]

    def open(self, image: Media) -> View:
        """A picture or clip as the model is shown it. Raises InputError where it cannot be."""
        return open_media(image, self.frames)

    def frame(self, size: Size) -> Frame:
        """What the model sees of a picture of `size` (width, height), as displayed."""
        return self.coordinates.frame_on(self.processor, size)

    def _located(self, answer: str, frame: Frame) -> Located:
        report = self.coordinates.parse_report(answer, frame)
        boxes = [place for place in report.locations if isinstance(place, Box)]
        box = boxes[0] if boxes and not negpred.says_absent(answer) else None
        return Located(box, answer, report.n_clipped)

    def _question_tokens(self, question: str) -> list[int]:
        _require_text(question, "the question")
        for token in self._control:
            if token in question:
                raise InputError(
                    f"the question {question[:60]!r} holds the control text {token!r}; leave it out"
                )
        return self._chat.question(question)

    def _unspoken_tokens(self) -> set[int]:
        """Tokens that are no words of an answer."""
        tokenizer = self.processor.tokenizer
        roles = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
        named = [getattr(tokenizer, f"{role}_token", None) for role in roles]
        texts = {text for text in (*named, *self._control) if text}
        ids: list[int] = tokenizer.convert_tokens_to_ids(sorted(texts))
        return set(ids)

    def _answer_tokens(self, text: str) -> list[int]:
        """The beginning of an answer."""
        return self._chat.tokens(self._chat.chat.lead + text)

    def _text(self, answer: Answer) -> str:
        # Not all special tokens: some families write locations in them
        ids = [token for token in answer.ids if token not in self._unspoken]
        text: str = self.processor.tokenizer.decode(ids, skip_special_tokens=False)
        return text.strip()


def _likeliest(texts: Sequence[str], chances: Sequence[float]) -> str:
    return texts[chances.index(max(chances))]


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
