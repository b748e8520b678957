"""A model behind an OpenAI-compatible server, such as vLLM's, is asked about pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from PIL import Image

from locvlm.errors import InputError
from locvlm.openai_client import Client, Endpoint, Refused, Reply, Stopped

JPEG_QUALITY = 95  # of the JPEG that is sent, its colors as fine as its brightness
MAX_SIDE = 65500  # pixels of a side that a JPEG may have
_PLAIN = Image.new("RGB", (64, 64), "gray")


class ServerModel:
    """The model; several threads may ask at the same time. At the end of its block none goes on."""

    def __init__(self, endpoint: Endpoint, *, parallel: int = 1) -> None:
        self._client = Client(endpoint, parallel=parallel)
        self._failure: InputError | None = None

    def __enter__(self) -> ServerModel:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop()

    def answer_all(
        self, asked: Sequence[tuple[Image.Image, Sequence[str]]]
    ) -> list[list[Reply] | InputError]:
        """The answers to each picture's questions, or why the server does not take the picture.

        Args:
            asked: upright RGB pictures, sent in their own size, with their questions.

        Raises:
            InputError: the server cannot be reached or refuses whatever it is asked; all threads
                end with it.
        """
        try:
            return [self._answers(image, questions) for image, questions in asked]
        except InputError as error:
            self._failure = self._failure or error
            self._client.stop()
            raise
        except Stopped:
            if self._failure is None:
                raise
            raise self._failure from None

    def _answers(self, image: Image.Image, questions: Sequence[str]) -> list[Reply] | InputError:
        if max(image.size) > MAX_SIDE:
            return InputError(f"longer than {MAX_SIDE} pixels, which is the most that is sent")
        image_part = _image_part(image)
        try:
            # The picture first, the same for all: a server that keeps prefixes reads it once
            return [
                self._client.reply([image_part, _text_part(question)]) for question in questions
            ]
        except Refused as refusal:
            if not refusal.content or not self._takes_images:
                raise
            return InputError(f"the server refuses it: {refusal.trouble}")

    @cached_property
    def _takes_images(self) -> bool:
        """Whether it answers about a plain picture: then a refusal is about the other one."""
        try:
            self._client.ask([_image_part(_PLAIN), _text_part("What is this?")])
        except Refused:
            return False
        return True


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _image_part(image: Image.Image) -> dict[str, Any]:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    data = base64.b64encode(file.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}
