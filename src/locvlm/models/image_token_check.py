"""Whether a model knows the tokens that its processor writes for an image.

A model puts an image where its own token of one stands (`image_token_id` of config.json). Where the
processor writes another token, or the model knows of none, some models answer without the image.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from locvlm.errors import InputError, LocVLMError
from locvlm.models.chat_tokens import ChatTokens
from locvlm.models.video_llava.processor import frames_of

SIZE = (448, 448)  # pixels of the image that is tried


def check_image_token(model: Any, processor: Any, folder: Path) -> None:
    """Raises InputError where images would not be where the model looks for them.

    Args:
        model: of any family; nothing is asked of those whose configuration has no such token.
        processor: the one that goes with it.
        folder: of both, for the message.
    """
    image, known = getattr(model.config, "image_token_id", ...), len(processor.tokenizer)
    if isinstance(image, int) and image >= known:
        raise InputError(
            f"{folder}: its tokenizer has {known} tokens, and an image is token {image} of the "
            "model: the tokenizer is another model's, or its files (tokenizer.json) are missing"
        )
    if image is ... or frames_of(processor) is not None:
        return
    written = getattr(processor, "image_token_id", None)
    if image is None:
        if not isinstance(written, int) or _finds_by_name(model):
            return
        raise InputError(
            f"{folder / 'config.json'}: says no image_token_id, so the model would answer without "
            f"the image; set it to {written}, which the processor writes"
        )
    found = _tokens_of_image(processor)
    if found and image not in found:
        raise InputError(
            f"{folder / 'config.json'}: an image is token {image} (image_token_id), which the "
            f"processor does not write for one{_suggest(written, found)}; the tokenizer or the "
            "configuration is another model's"
        )


def _tokens_of_image(processor: Any) -> list[int]:
    """What is written before a question; empty where that cannot be tried."""
    try:
        ids: list[int] = (
            ChatTokens(processor).prefix(Image.new("RGB", SIZE))["input_ids"][0].tolist()
        )
    except LocVLMError:  # told when it is asked
        return []
    return ids


def _suggest(written: Any, found: list[int]) -> str:
    return f" (it writes {written})" if written in found else ""


def _finds_by_name(model: Any) -> bool:
    """Whether the token is looked up in a list of words that the configuration has, as Emu 3's."""
    return any(hasattr(module, "vocabulary_mapping") for module in model.modules())
