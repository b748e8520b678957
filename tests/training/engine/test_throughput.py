"""Useful work of a pass, counted by hand for a small model, and speeds."""

import time
from copy import deepcopy
from typing import Any

import pytest
import torch

from locvlm.models.load import Loaded
from locvlm.training.adapters import add_adapter, choose_trained
from locvlm.training.data.training_batch import TrainingBatch
from locvlm.training.engine.throughput import ThroughputMeter, Work, peak_of
from locvlm.training.recipe import LoraSettings

NOTHING = torch.zeros(0)


def batch(tokens: int = 0, learned: int = 0, pairs: int = 0) -> TrainingBatch:
    goal = torch.zeros(learned, dtype=torch.long)
    return TrainingBatch({}, goal, goal, goal.float(), 2, 5, tokens, pairs)


def work(loaded: Loaded, *parts: str, encodes: bool = False) -> Work:
    model: Any = deepcopy(loaded.model)
    if "lora" in parts:
        model = add_adapter(model, LoraSettings(rank=2, alpha=2))
    choose_trained(model, parts)
    return Work.of(model, 16, encodes=encodes)


def test_four_per_frozen_weight_and_six_per_trained_one(small_model: Loaded) -> None:
    model: Any = small_model.model
    layers = sum(p.numel() for p in model.model.language_model.layers.parameters() if p.ndim > 1)
    lora, whole = work(small_model, "adapter", "lora"), work(small_model, "adapter", "language")
    assert lora.token == 4 * layers
    assert whole.token == 6 * layers
    assert lora.answer_token == 4 * model.lm_head.weight.numel()
    adapter = sum(p.numel() for p in model.model.multi_modal_projector.parameters() if p.ndim > 1)
    assert lora.image == whole.image == 16 * 6 * adapter


def test_an_encoder_that_runs_is_counted_once_forward(small_model: Loaded) -> None:
    model: Any = small_model.model
    size = sum(p.numel() for p in model.model.vision_tower.parameters() if p.ndim > 1)
    kept, runs = (work(small_model, "lora", encodes=runs).image for runs in (False, True))
    assert runs - kept == 16 * 2 * size


def test_attention_counts_by_pairs(small_model: Loaded) -> None:
    text = small_model.model.config.text_config
    width = text.num_attention_heads * text.head_dim
    found = work(small_model, "lora").count(batch(pairs=10))
    fixed = work(small_model, "lora").count(batch())
    assert found - fixed == 10 * 12 * width * text.num_hidden_layers


def test_a_meter_says_how_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    meter = ThroughputMeter(Work(token=10, answer_token=0, image=0, pair=0), peak=1000.0)
    meter.add(batch(tokens=50))
    meter.add(batch(tokens=70))
    now[0] = 2.0
    assert meter.figures(processes=3) == {
        "pictures_per_second": 6.0,
        "answers_per_second": 15.0,
        "tokens_per_second": 180.0,
        "share_of_peak": 0.6,  # of this process's device
    }
    now[0] = 4.0
    assert meter.figures()["tokens_per_second"] == 0


def test_the_peak_of_a_cpu_is_not_known() -> None:
    assert peak_of(torch.device("cpu")) is None
    assert "share_of_peak" not in ThroughputMeter(Work(1, 1, 1, 1)).figures()
