import copy
from copy import deepcopy
from typing import Any

import torch
from PIL import Image
from transformers import Qwen2Tokenizer
from transformers.models.cosmos3_edge.image_processing_pil_cosmos3_edge import (
    Cosmos3EdgeImageProcessorPil,
)
from transformers.models.cosmos3_edge.processing_cosmos3_edge import Cosmos3EdgeProcessor

from locvlm.compat.image_processors import VideoSettings, stills_only
from locvlm.models.chat_tokens import ChatTokens
from locvlm.models.load import Loaded
from tests.families.tokens import byte_level

PICTURE = Image.new("RGB", (64, 48), "red")
CHAT = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "<end>{% endfor %}"
)


def tokenizer() -> Qwen2Tokenizer:
    tokens = {"image_token": "<image>", "video_token": "<video>"}
    made = Qwen2Tokenizer(**byte_level(), extra_special_tokens=tokens)
    made.eos_token = "<end>"
    return made


def test_token_types_that_a_model_needs_are_asked_for() -> None:
    images = Cosmos3EdgeImageProcessorPil(size={"shortest_edge": 4096, "longest_edge": 4096})
    made = stills_only(Cosmos3EdgeProcessor)(
        images, tokenizer(), VideoSettings({}), chat_template=CHAT
    )
    seen = ChatTokens(made).prefix(PICTURE)
    of_image = seen["input_ids"] == made.image_token_id
    assert of_image.any()
    assert torch.equal(seen["mm_token_type_ids"], of_image.long())


def test_what_ends_an_answer(small_model: Loaded) -> None:
    processor, model = deepcopy(small_model.processor), deepcopy(small_model.model)
    end, other = processor.tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    for own in (None, end, [end]):
        model.generation_config.eos_token_id = own
        assert ChatTokens(processor).stops(model) == {end}
    model.generation_config.eos_token_id = other
    assert ChatTokens(processor).stops(model) == {end, other}


def test_pixels_that_a_processor_rounds_fit_a_model_of_any_precision(small_model: Loaded) -> None:
    """Llama 4's are bfloat16, which a model in float32 does not take."""
    processor = copy.copy(small_model.processor)

    class Rounding(type(processor)):  # type: ignore[misc]
        def __call__(self, *args: Any, **options: Any) -> Any:
            inputs = super().__call__(*args, **options)
            inputs["pixel_values"] = inputs["pixel_values"].bfloat16()
            return inputs

    processor.__class__ = Rounding
    inputs = ChatTokens(processor).prefix(Image.new("RGB", (64, 48)))
    assert inputs["pixel_values"].dtype == torch.float32
    assert inputs["input_ids"].dtype == torch.int64
