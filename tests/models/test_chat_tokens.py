from copy import deepcopy

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
