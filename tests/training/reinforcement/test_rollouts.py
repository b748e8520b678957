"""Shared beginnings give the numbers that answers have one by one."""

import copy

import pytest
import torch
from PIL import Image

from locvlm.models.load import Loaded
from locvlm.training.reinforcement.rollouts import RolloutSampler, log_probs

PROMPTS = [[1, 50, *["image"] * 16, 51], [1, 50, *["image"] * 16, 51], [1, *["image"] * 16, 60, 61]]
ANSWERS = torch.tensor([[70, 71, 72, 2], [80, 2, 0, 0], [90, 91, 2, 0]])
TEMPERATURE = 0.7


@pytest.fixture
def model(small_model: Loaded) -> torch.nn.Module:
    return copy.deepcopy(small_model.model)


def prompts(model: torch.nn.Module) -> list[list[int]]:
    image: int = model.config.image_token_id
    return [[image if token == "image" else token for token in ids] for ids in PROMPTS]


def pictures() -> list[dict[str, torch.Tensor]]:
    chance = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 1, 3, 56, 56, generator=chance)
    return [{"pixel_values": first}, {"pixel_values": first.clone()}, {"pixel_values": second}]


def alone(model: torch.nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Row by row, the whole sequence in one pass."""
    chances, entropies = [], []
    for prompt, picture, said in zip(prompts(model), pictures(), ANSWERS, strict=True):
        ids = torch.tensor([[*prompt, *said.tolist()]])
        logits = model(input_ids=ids, **picture).logits[0, len(prompt) - 1 : -1] / TEMPERATURE
        every = logits.log_softmax(-1)
        chances.append(every.gather(-1, said[:, None])[:, 0])
        entropies.append(torch.distributions.Categorical(logits=logits).entropy())
    return torch.stack(chances), torch.stack(entropies)


def test_as_row_by_row(model: torch.nn.Module) -> None:
    shared = log_probs(model, prompts(model), pictures(), ANSWERS, TEMPERATURE)
    for ours, theirs in zip(shared, alone(model), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_in_any_order(model: torch.nn.Module) -> None:
    """Answers to one question need not stand side by side."""
    order = [0, 2, 1]
    mixed, _ = log_probs(
        model,
        [prompts(model)[row] for row in order],
        [pictures()[row] for row in order],
        ANSWERS[order],
        TEMPERATURE,
    )
    straight, _ = log_probs(model, prompts(model), pictures(), ANSWERS, TEMPERATURE)
    torch.testing.assert_close(mixed, straight[order])


def test_gradients_pass_through_the_shared_beginning(model: torch.nn.Module) -> None:
    def gradients(chances: torch.Tensor) -> list[torch.Tensor]:
        model.zero_grad()
        (chances * torch.arange(12.0).view(3, 4)).sum().backward()
        return [p.grad.clone() for p in model.parameters() if p.grad is not None]

    ours = gradients(log_probs(model, prompts(model), pictures(), ANSWERS, TEMPERATURE)[0])
    theirs = gradients(alone(model)[0])
    assert len(ours) == len(theirs) > 20
    largest = max(float(b.abs().max()) for b in theirs)  # beside it, a key's bias has none
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5 * largest, rtol=1e-3)


def test_an_answer_of_one_token(model: torch.nn.Module) -> None:
    chances, entropies = log_probs(model, prompts(model), pictures(), ANSWERS[:, :1], TEMPERATURE)
    assert chances.shape == entropies.shape == (3, 1)
    torch.testing.assert_close(chances, alone(model)[0][:, :1], atol=1e-4, rtol=1e-4)


ASKED = [(Image.new("RGB", (60, 40), color), f"Where is the {color}?") for color in ("red", "blue")]


def test_draws(small_model: Loaded) -> None:
    sampler = RolloutSampler(small_model.processor, 1.0, 6)
    torch.manual_seed(0)
    before, said = sampler.sample(small_model.model, ASKED, 4)
    assert len(before) == len(said) == 8
    assert before[:4] == [before[0]] * 4 != before[4:]
    assert len(set(map(tuple, said))) > 4
    end = small_model.processor.tokenizer.eos_token_id
    assert all(len(ids) == 6 or ids[-1] == end for ids in said)
    assert not any(small_model.model.config.image_token_id in ids for ids in said)
    torch.manual_seed(0)
    assert sampler.sample(small_model.model, ASKED, 4) == (before, said)


def test_the_colder_the_more_alike(small_model: Loaded) -> None:
    _, said = RolloutSampler(small_model.processor, 1e-4, 6).sample(small_model.model, ASKED, 4)
    assert said[:4] == [said[0]] * 4


def test_draws_follow_the_chances(small_model: Loaded) -> None:
    """How often a first token is drawn is as likely as `log_probs` says."""
    sampler = RolloutSampler(small_model.processor, 0.5, 1)
    torch.manual_seed(0)
    before, said = sampler.sample(small_model.model, ASKED[:1], 400)
    inputs = small_model.processor(images=ASKED[0][0], text="<image>", return_tensors="pt")
    picture = {"pixel_values": inputs["pixel_values"]}
    chances, _ = log_probs(
        small_model.model, before[:1] * 20, [picture] * 20, torch.tensor(said[:20]), 0.5
    )
    for ids, chance in zip(said[:20], chances[:, 0].exp().tolist(), strict=True):
        assert said.count(ids) / 400 == pytest.approx(chance, abs=0.1)
