"""The models that describe: one that is loaded here, or one behind a server.

ImageRequest ─► the image, a question per category ─► ImageReply
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from PIL.Image import Image

from locvlm.errors import InputError, UnusableImageError
from locvlm.media.images import open_image
from locvlm.openai_client import Endpoint, Reply
from locvlm.parallel.engines import Engine
from locvlm.parallel.workers import Place
from locvlm.pseudo.server_model import ServerModel

if TYPE_CHECKING:
    from locvlm.inference.predictor import Predictor
    from locvlm.inference.sampling import Sampling

BATCH_SIZE = 8  # images
MAX_NEW_TOKENS = 96  # more than `filters.MOST_WORDS` have: what is cut is too long anyway

# Pictures with their questions -> answers to them, or why a server does not take the picture
Ask: TypeAlias = Callable[
    [Sequence[tuple[Image, Sequence[str]]]], Sequence[list[Reply] | InputError]
]


class ImageRequest(msgspec.Struct, frozen=True):
    """A picture and what is to be described in it."""

    image: str  # path
    width: int  # pixels, as annotated
    height: int
    categories: list[str]


class ImageReply(msgspec.Struct, frozen=True):
    """What the model said about a picture."""

    answers: list[str] = []  # in the order of the categories
    cut: list[int] = []  # places in it of those that the limit of tokens ended
    error: str = ""  # why the picture cannot be read, or is not taken by the server


@contextmanager
def open_model(
    model: str | Endpoint, sampling: Sampling | None, engine: Engine, workers: int
) -> Iterator[tuple[Ask, Place]]:
    """What asks the model, and where that is done."""
    if isinstance(model, Endpoint):
        with ServerModel(model, parallel=workers) as served:
            yield served.answer_all, "threads"
    else:
        yield partial(_ask, model, sampling), engine


def answer_requests(ask: Ask, prompt: str, batch: Sequence[ImageRequest]) -> list[ImageReply]:
    """What is said about the pictures of a batch, those that can be read together."""
    images = [_open_image(request) for request in batch]
    questions = [
        (image, [prompt.replace("{category}", name) for name in request.categories])
        for image, request in zip(images, batch, strict=True)
        if isinstance(image, Image)
    ]
    answers = iter(ask(questions))
    return [
        _make_reply(request, next(answers)) if isinstance(image, Image) else image
        for image, request in zip(images, batch, strict=True)
    ]


def _make_reply(request: ImageRequest, replies: list[Reply] | InputError) -> ImageReply:
    if isinstance(replies, InputError):
        return ImageReply(error=f"{request.image}: {replies}")
    cut = [place for place, reply in enumerate(replies) if reply.cut]
    return ImageReply([reply.text for reply in replies], cut)


def _ask(
    model: str, sampling: Sampling | None, questions: Sequence[tuple[Image, Sequence[str]]]
) -> list[list[Reply] | InputError]:
    predictor = _predictor(model, sampling)  # also where nothing is asked: the name may be wrong
    if not questions:
        return []
    try:
        answers = predictor.answer_all(questions, max_new_tokens=MAX_NEW_TOKENS)
    except UnusableImageError as error:  # one is too narrow for the model, or the like
        if len(questions) == 1:
            return [error]
        return [answer for each in questions for answer in _ask(model, sampling, [each])]
    cut = iter(predictor.cut_answers)
    return [[Reply(text, next(cut)) for text in texts] for texts in answers]


def _open_image(request: ImageRequest) -> Image | ImageReply:
    """The picture, or that it cannot be read."""
    try:
        return open_image(Path(request.image), (request.width, request.height))
    except InputError as error:
        return ImageReply(error=str(error))


@cache
def _predictor(model: str, sampling: Sampling | None) -> Predictor:
    """Loaded once per process."""
    from locvlm.inference.predictor import load_predictor

    return load_predictor(model, sampling=sampling)
