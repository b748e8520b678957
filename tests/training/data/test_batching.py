"""How much goes into a pass."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from locvlm.distributed import partial_state
from locvlm.training.data.batching import BLOCK, count_workers, images_per_pass, round_up_length
from locvlm.training.engine.compiling import SHAPES
from locvlm.training.recipe import Recipe, Stage


def recipe(**settings: Any) -> Recipe:
    return Recipe(data=(), out="", stages={}, **settings)


def model(layers: int = 30, width: int = 576) -> Any:
    text = SimpleNamespace(num_hidden_layers=layers, hidden_size=width)
    return SimpleNamespace(config=SimpleNamespace(get_text_config=lambda: text))


@given(st.integers(0, 20_000))
def test_lengths_are_blocks_and_little_longer(tokens: int) -> None:
    length = round_up_length(tokens)
    assert length >= tokens
    assert length % BLOCK == 0
    assert length <= max(BLOCK, tokens + BLOCK, 1.25 * tokens + 1)
    assert round_up_length(length) == length


def test_there_are_few_of_them() -> None:
    assert len({round_up_length(tokens) for tokens in range(1, 8192)}) <= SHAPES


def test_a_cpu_takes_one_picture_and_no_workers() -> None:
    assert images_per_pass(recipe(), Stage("lora", 1, images=8), model(), 256) == 1
    assert count_workers(recipe()) == 0


def test_what_a_recipe_says_holds() -> None:
    asked = recipe(batch=4, workers=3)
    assert images_per_pass(asked, Stage("lora", 1, images=8), model(), 256) == 4
    assert count_workers(asked) == 3


@pytest.mark.parametrize(
    ("free", "pictures", "layers", "width", "expected"),
    [
        (78, 64, 30, 576, 32),  # LocVLM-Tiny on an H100
        (78, 64, 32, 4096, 4),  # 7 B
        (10, 64, 30, 576, 4),
        (1, 7, 32, 4096, 1),
    ],
)
def test_a_gpu_takes_what_fits(
    free: int,
    pictures: int,
    layers: int,
    width: int,
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    partial_state()  # outlives the test, so it must not see the GPU that is pretended
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: ((free - 1) * 2**30, 80 * 2**30))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 3 * 2**30)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 2 * 2**30)
    stage = Stage("lora", 1, images=pictures, max_questions=12)
    assert images_per_pass(recipe(), stage, model(layers, width), 256) == expected
