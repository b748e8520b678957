"""Ask a model where things are and what is there, in the pixels of your own image.

The way of a photo through `locate`, with the function of each step:

    commands/locate.py       locate             file, words
        │ Predictor.open     media/opening.py   decoded once: RGB, as displayed
        ▼
    predictor.locate_many    "Where is the object described dog …?", and the text frame: what
        │                    numbers stand for
        ▼
    prefix_cache.read        the photo and the chat before the question: keys and values
        ▼
    speculation              tokens of the answer, greedy or drawn (sampling); of one question alone
        ▼                    (decoding: of several; uncached: some model families)
    chat_tokens.decode       "It is located at (4,52,13,63)"
        ▼
    coordinates.parse_report numbers in the text frame → Box in pixels of the photo
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from locvlm.coordinates import CoordinateFormat
from locvlm.coordinates.answers import find_answer
from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, Location, Size
from locvlm.inference.batched_model import BatchedModel
from locvlm.inference.batching import batching_for
from locvlm.inference.checks import require_inside, require_seen, require_text
from locvlm.inference.decoding import Answer
from locvlm.inference.sampling import Sampling
from locvlm.inference.speculation import common_start
from locvlm.instructions.objectives import locpred, negpred, revloc
from locvlm.instructions.visible import FieldOfView
from locvlm.media.opening import Media, View, open_media
from locvlm.models.chat_tokens import ChatTokens
from locvlm.models.digest import digest_model
from locvlm.models.door import refuse_unloadable
from locvlm.models.load import load_model
from locvlm.models.pixel_limits import PixelLimits
from locvlm.models.video_llava.processor import frames_of
from locvlm.processors import frame_of

WHERE, WHAT = locpred.PROMPTS[0], revloc.PROMPTS[0]

MAX_NEW_TOKENS = 64
SQUARE = (100, 100)  # pixels: any picture
BOXES = (Box(12, 12, 34, 34), Box(56, 56, 78, 78))  # in it, without a digit in common


@dataclass(frozen=True, slots=True)
class Located:
    """Where an object is."""

    box: Box | None  # pixels of the picture as displayed; None: absent, or no box in the answer
    answer: str  # text of the model
    clipped: int  # locations in the answer that reached out of the picture


class Predictor:
    """Answers questions about images: with the likeliest tokens (greedy), or with drawn ones.

    Both are deterministic: what is drawn depends on the seed, the image and the question alone.
    An image is a path or a PIL image; of a model that reads clips, also the path of a clip or a
    `Clip`. Locations are in the pixels of the image *as displayed*: a photo whose EXIF orientation
    says so is turned first (`media.images.open_image`). The image asked about last is cached, so
    further questions about it are fast. In bfloat16 a rounding may differ with the number of
    questions that are asked together.

    Args:
        model: any image-text-to-text model. Of most families an image is read once for all its
            questions (`decoding.can_cache_prefix`), of others with each.
        processor: the model's; its chat template and frame are used.
        coordinates: the format that the model was trained to speak.
        name: what reports call the model.
        source: what it was loaded from, as `load_model` takes it; None: no files.
        sampling: the temperature at which answers are drawn, and the seed; None: greedy.

    Attributes:
        frames: of a clip, that the model reads; None: it reads images alone.
        batching: how much goes together on the model's device.
        truncated: how many answers so far were cut at the limit of tokens.
        cut_answers: which of the latest ones were, in the order of their questions.
        decoding: how answers are made, for the record.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        processor: Any,
        coordinates: CoordinateFormat,
        *,
        name: str = "model",
        source: str | Path | None = None,
        sampling: Sampling | None = None,
    ):
        self.name = name
        self._source = source
        self.model = model
        self.processor = processor
        self.coordinates = coordinates
        self.frames = frames_of(processor)
        self.batching = batching_for(model)
        self.truncated = 0
        self.cut_answers: list[bool] = []
        self.decoding = {
            **({"method": "greedy"} if sampling is None else sampling.record),
            "max_new_tokens": MAX_NEW_TOKENS,
            "dtype": str(model.dtype).removeprefix("torch."),
        }
        self._chat = ChatTokens(processor)
        self._batched = BatchedModel(
            model, self._chat, self.frames, lambda: self._common_starts, sampling
        )

    @cached_property
    def digest(self) -> str:
        """Of its files, by which an evaluation knows it again; "": it has none."""
        return "" if self._source is None else digest_model(self._source)

    def locate(self, image: Media, what: str) -> Located:
        """Where `what` is, as a box in pixels. Raises InputError (bad picture, empty `what`)."""
        return self.locate_many(image, [what])[0]

    def locate_many(self, image: Media, what: Sequence[str]) -> list[Located]:
        """As `locate` for each of `what`, faster than one by one."""
        for item in what:
            require_text(item, "what to locate")
        view = self.open(image)
        kind = self.coordinates.repr_of("box")
        questions = [WHERE.format(category=item.strip(), repr=kind) for item in what]
        frame = self.text_frame(view.size)
        return [self._parse_answer(answer, frame) for answer in self.answer(view, questions)]

    def describe(self, image: Media, location: Location) -> str:
        """What is at a box or point, given in pixels.

        Raises InputError: a bad picture; a place outside of it, or of what the model sees of it.
        """
        return self.describe_many(image, [location])[0]

    def describe_many(self, image: Media, locations: Sequence[Location]) -> list[str]:
        """As `describe` for each location, faster than one by one."""
        view = self.open(image)
        for location in locations:
            require_inside(location, view.size)
            require_seen(location, self.field_of_view([view.size]).part(view.size))
        frame = self.text_frame(view.size)
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
        return self.sample_all(asked, 1, max_new_tokens=max_new_tokens)[0]

    def sample_all(
        self,
        asked: Sequence[tuple[Media, Sequence[str]]],
        samples: int,
        *,
        max_new_tokens: int = MAX_NEW_TOKENS,
    ) -> list[list[list[str]]]:
        """Several answers to each question: of each sample what `answer_all` gives of the first.

        Raises as `answer`; greedy, all samples are the same.
        """
        if min(samples, max_new_tokens) < 1:
            raise ValueError("samples and max_new_tokens must be at least 1")
        found: list[list[Answer]] = [[] for _ in range(samples)]
        for queries in self._batched.read(self._encode(asked), self.batching):
            many = [replace(query, sample=1 + i) for i in range(samples) for query in queries]
            answers = iter(self._batched.generate(many, max_new_tokens, self.batching))
            for of_sample in found:
                of_sample += islice(answers, len(queries))
        self.cut_answers = [not answer.complete for of_sample in found for answer in of_sample]
        self.truncated += sum(self.cut_answers)
        texts = (self._chat.decode(answer.ids) for of_sample in found for answer in of_sample)
        return [[[next(texts) for _ in questions] for _, questions in asked] for _ in found]

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
        scores = [list(islice(log_probs, len(texts))) for texts in choices]
        pairs = zip(choices, scores, strict=True)
        likeliest = iter([texts[of_each.index(max(of_each))] for texts, of_each in pairs])
        return [[next(likeliest) for _ in questions] for _, questions in asked]

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
            require_text(text, "an answer")
        return list(self._choice_log_probs(asked, [[text] for text in answers]))

    @property
    def at_once(self) -> int:
        """How many questions are worth asking together on this device."""
        return self.batching.questions

    @cached_property
    def _common_starts(self) -> list[list[int]]:
        """How the answer to `locate` begins, up to the numbers, where a thing is there or not."""
        absent = self._chat.turn("?", negpred.ANSWER).answered
        end = next((i for i, token in enumerate(absent) if token in self._batched.stops), None)
        if "box" not in self.coordinates.kinds:
            return [absent[:end]]
        frame = self.text_frame(SQUARE)
        places = [self.coordinates.encode(box, frame) for box in BOXES]
        texts = [locpred.ANSWER.replace("{loc}", place) for place in places]
        there = common_start([self._chat.turn("?", text).answered for text in texts])
        return [there, absent[:end]]

    def _choice_log_probs(
        self, asked: Sequence[tuple[Media, Sequence[str]]], choices: Sequence[Sequence[str]]
    ) -> Iterator[float]:
        """The log-likelihood of each choice of each question, one after the other."""
        options = iter([[self._chat.answer_start(text) for text in texts] for texts in choices])
        log_probs: list[float] = []
        for queries in self._batched.read(self._encode(asked), self.batching):
            pairs = [(query, ids) for query in queries for ids in next(options)]
            log_probs += self._batched.log_likelihoods(
                [query for query, _ in pairs], [ids for _, ids in pairs], self.batching
            )
        return iter(log_probs)

    def open(self, image: Media) -> View:
        """A picture or clip as the model is shown it. Raises InputError where it cannot be."""
        return open_media(image, self.frames)

    def text_frame(self, size: Size) -> Frame:
        """From a picture of `size` (width, height), as displayed, to the pixels of its numbers."""
        return self.coordinates.frame_on(self.processor, size)

    def image_frame(self, size: Size) -> Frame:
        """From a picture of `size` (width, height), as displayed, to the pixels that are seen.

        Raises InputError where it cannot be told what the processor does.
        """
        return frame_of(self.processor, size)

    def field_of_view(self, sizes: Iterable[Size]) -> FieldOfView:
        """The parts of pictures of these sizes (width, height) that the model sees."""
        return FieldOfView(self.processor, sizes)

    def frame(self, size: Size) -> Frame:
        """The older name of `text_frame`."""
        return self.text_frame(size)

    def _parse_answer(self, answer: str, text_frame: Frame) -> Located:
        report = self.coordinates.parse_report(find_answer(answer), text_frame)
        boxes = [place for place in report.locations if isinstance(place, Box)]
        box = boxes[0] if boxes and not negpred.says_absent(find_answer(answer)) else None
        return Located(box, answer, report.n_clipped)

    def _encode(
        self, asked: Sequence[tuple[Media, Sequence[str]]]
    ) -> list[tuple[Media, list[list[int]]]]:
        return [(image, [self._encode_question(text) for text in texts]) for image, texts in asked]

    def _encode_question(self, question: str) -> list[int]:
        require_text(question, "the question")
        for token in self._chat.control_tokens:
            if token in question:
                raise InputError(
                    f"the question {question[:60]!r} holds the control text {token!r}; leave it out"
                )
        return self._chat.question(question)


def load_predictor(
    name: str | Path = "tiny",
    *,
    speech: CoordinateFormat | None = None,
    pixels: PixelLimits | None = None,
    sampling: Sampling | None = None,
) -> Predictor:
    """A model that answers where things are and what is there.

    Args:
        name: a shipped model (`tiny`, …), or the folder of an adapter or of a whole model.
        speech: the coordinate format it speaks; None: as its files or its family say.
        pixels: how large it sees pictures, where its processor lets one choose; None: as it does.
        sampling: how answers are drawn (`sampling_at`); None: greedy.

    Raises:
        InputError: there is no such model, or its files do not fit together.
    """
    it, pixels = load_model(name, speech=speech), pixels or PixelLimits()
    with refuse_unloadable(name, "this model cannot be asked"):
        processor = pixels.apply(it.processor)
        coordinates = pixels.told_by(it.coordinates, processor)
        predictor = Predictor(
            it.model, processor, coordinates, name=it.name, source=name, sampling=sampling
        )
    predictor.decoding |= pixels.given
    return predictor
