"""Compiled layers compute the same, and one kind of layer is compiled once per length."""

from copy import deepcopy
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from torch._dynamo.utils import counters

from locvlm.models.load import Loaded
from locvlm.training.adapters import add_adapter, choose_trained
from locvlm.training.data.packing import Packing
from locvlm.training.data.training_batch import TrainingBatch
from locvlm.training.engine import execution
from locvlm.training.engine.block_attention import use_block_attention
from locvlm.training.engine.compiling import compile_layers
from locvlm.training.engine.lora_forward import form_updates
from locvlm.training.recipe import LoraSettings, Recipe, Stage
from locvlm.training.tasks.supervised import answer_loss

BACKEND = "aot_eager"  # traces all as it is compiled, and needs no compiler of C++


def batch(image: int, total: int) -> TrainingBatch:
    """Two pictures with questions of different lengths, by a mask."""
    prefix, lengths = 18, [[3, 4], [5]]
    ids = torch.randint(5, 200, (2, total), generator=torch.Generator().manual_seed(0))
    ids[:, 1:17] = image
    inputs = {
        "input_ids": ids,
        "position_ids": torch.arange(total).expand(2, -1),
        "pixel_values": torch.randn(2, 3, 56, 56, generator=torch.Generator().manual_seed(1)),
        "packing": Packing.of([prefix] * 2, lengths, total, "sdpa"),
    }
    learned = torch.tensor([20, 21, total + 22])
    return TrainingBatch(inputs, torch.tensor([7, 8, 9]), learned, torch.full((3,), 1 / 3)).to(
        "cpu"
    )


def learn(model: Any, given: TrainingBatch) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss, _ = answer_loss(model(**given.inputs, use_cache=False).logits, given)
    loss.backward()
    grads = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return {"loss": loss.detach(), **grads}


def test_the_same_loss_and_gradients(small_model: Loaded) -> None:
    torch._dynamo.reset()
    counters.clear()
    base: Any = deepcopy(small_model.model).float()
    model = add_adapter(base, LoraSettings(rank=2, alpha=2, targets=("all",)))
    choose_trained(model, {"adapter", "lora"})
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    image = small_model.processor.tokenizer.convert_tokens_to_ids("<image>")
    with use_block_attention(base), form_updates(model):
        for total in (26, 30):
            given = batch(image, total)
            plain = learn(model, given)
            with compile_layers(model, static=True, backend=BACKEND) as count:
                compiled = learn(model, given)
            assert count == base.config.text_config.num_hidden_layers > 1
            assert plain.keys() == compiled.keys()
            for name, value in plain.items():
                torch.testing.assert_close(compiled[name], value, rtol=1e-4, atol=1e-5)
    assert learn(model, given)["loss"].isfinite()  # and they are as they were
    assert counters["stats"]["unique_graphs"] == 2  # of all layers, one for each length
    assert not counters["graph_break"]


@pytest.mark.parametrize(
    ("asked", "method", "compiled", "bucketed"),
    [
        ("auto", "flex", True, True),
        ("auto", "rows", False, False),  # as guided stages are, each batch of another shape
        (True, "rows", True, False),
        (False, "sdpa", False, False),
    ],
)
def test_what_goes_row_by_row_is_not_compiled_by_itself(
    monkeypatch: pytest.MonkeyPatch, asked: Any, method: str, compiled: bool, bucketed: bool
) -> None:
    monkeypatch.setattr(execution, "should_compile", lambda asked: asked is not False)
    monkeypatch.setattr(execution, "choose_method", lambda *_, **__: method)
    monkeypatch.setattr(execution, "should_pack", lambda *_: True)
    stage = Stage("lora", 1)
    recipe = Recipe(data=(), out="", stages={"a": stage}, compile=asked)
    how = execution.Execution(recipe, stage, MagicMock())
    assert how.compiled is compiled
    assert how.bucketed is bucketed
