"""What a processor makes of a question about one picture, before any model runs."""

from __future__ import annotations

from typing import Any

from locvlm.errors import InputError
from locvlm.geometry import Frame, Size

MARK = "\x00"  # stands for a text's place in a chat template; no text holds it


def image_tokens(processor: Any) -> int:
    """How many tokens the language model sees per picture.

    Raises:
        InputError: pictures of different shapes give different numbers of tokens.
    """
    columns, rows = patch_grid(processor)
    tokens: int = columns * rows + processor.num_additional_image_tokens
    return tokens - (processor.vision_feature_select_strategy == "default")


def patch_grid(processor: Any) -> tuple[int, int]:
    """(columns, rows) of patches per picture. Raises InputError as `image_tokens`."""
    width, height = _model_size(processor)
    return width // processor.patch_size, height // processor.patch_size


def _model_size(processor: Any) -> Size:
    """(width, height) in pixels of the one size that all pictures get."""
    shapes = ((640, 640), (640, 480), (480, 640))
    sizes = {Frame.from_processor(processor, shape).model for shape in shapes}
    if len(sizes) > 1:
        raise InputError(
            f"{type(processor.image_processor).__name__} gives pictures of different shapes "
            "different sizes; set its size or crop_size to one width and height"
        )
    return sizes.pop()


def chat_parts(processor: Any) -> tuple[str, str, str]:
    """What the chat template writes before the question, between it and the answer, and after.

    The text after the end-of-turn token (a line break, say) is never generated, so it is cut. A
    template without such a token ends with the tokenizer's own, or no answer would ever end.
    """
    said = {"type": "text", "text": MARK}
    turns = [
        {"role": "user", "content": [{"type": "image"}, said]},
        {"role": "assistant", "content": [said]},
    ]
    text = processor.apply_chat_template(turns, tokenize=False)
    before, between, after = text.split(MARK)
    return before, between, after.rstrip() or processor.tokenizer.eos_token


def stop_tokens(processor: Any, model: Any) -> set[int]:
    """What ends an answer: what the model, its tokenizer or the chat template ends it with."""
    ends = model.generation_config.eos_token_id
    stops = set(ends) if isinstance(ends, list) else {ends}
    tokenizer = processor.tokenizer
    *_, after = chat_parts(processor)
    written = tokenizer(after, add_special_tokens=False)["input_ids"][:1]
    stops |= {tokenizer.eos_token_id, *(set(written) & set(tokenizer.all_special_ids))}
    return {stop for stop in stops if stop is not None}
