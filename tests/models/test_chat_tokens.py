import copy
from copy import deepcopy
from typing import Any

import torch
from PIL import Image

from locvlm.models.chat_tokens import ChatTokens
from locvlm.models.load import Loaded


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
