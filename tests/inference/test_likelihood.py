import pytest
import torch

from locvlm.inference.decoding import decode, read_prefix
from locvlm.inference.likelihood import log_likelihoods
from locvlm.models.load import Loaded

QUESTIONS = [[9], [40, 41, 42, 43, 44], [17, 300]]
ANSWERS = [[7, 2], [80, 81, 82, 83, 2], [2]]


@pytest.fixture(scope="module")
def inputs(small_model: Loaded) -> dict[str, torch.Tensor]:
    image_token = small_model.model.config.image_token_id
    ids = torch.tensor([[1, 50, *[image_token] * 16, 51, 52]])
    pixels = torch.randn(1, 3, 56, 56, generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, "pixel_values": pixels}


def test_as_the_stock_forward_pass_says(small_model: Loaded, inputs: dict[str, torch.Tensor]):
    prefix = read_prefix(small_model.model, inputs)
    found = log_likelihoods(small_model.model, [prefix] * 3, QUESTIONS, ANSWERS)
    for question, answer, chance in zip(QUESTIONS, ANSWERS, found, strict=True):
        whole = torch.cat([inputs["input_ids"], torch.tensor([[*question, *answer]])], dim=1)
        with torch.inference_mode():
            logits = small_model.model(
                input_ids=whole, pixel_values=inputs["pixel_values"]
            ).logits.log_softmax(-1)
        start = whole.shape[1] - len(answer)
        expected = sum(logits[0, start + i - 1, token].item() for i, token in enumerate(answer))
        assert chance == pytest.approx(expected, abs=1e-3)


def test_the_greedy_token_is_the_likeliest(small_model: Loaded, inputs: dict[str, torch.Tensor]):
    prefix = read_prefix(small_model.model, inputs)
    [greedy] = decode(small_model.model, [prefix], [[9]], [], 1)
    others = [greedy.ids, [5], [6], [7]]
    chances = log_likelihoods(small_model.model, [prefix] * 4, [[9]] * 4, others)
    assert chances.index(max(chances)) == 0
    assert prefix.cache.get_seq_length() == 20  # the prefix is not worn out
