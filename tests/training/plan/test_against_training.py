"""What is planned without weights, against what real training steps allocate and compute."""

from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from peft.helpers import disable_input_dtype_casting
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count
from transformers import AutoConfig

from locvlm.models.single_linear import settings_of
from locvlm.training.adapters import base_model
from locvlm.training.data.collator import IGNORED, EncodedConversation
from locvlm.training.data.feature_cache import use_cached_features
from locvlm.training.data.packed_rows import build_packed_batch
from locvlm.training.data.padded_rows import build_padded_batch
from locvlm.training.data.training_batch import TrainingBatch
from locvlm.training.engine.block_attention import use_block_attention
from locvlm.training.plan.estimate import StageTrace, trace_stage
from locvlm.training.plan.memory import estimate_memory
from locvlm.training.plan.sequences import TEXT, plan_sequences
from locvlm.training.plan.sketch import build_sketch, count_parameters
from locvlm.training.recipe import LoraSettings, Recipe, Stage
from locvlm.training.tasks.supervised import answer_loss

TRAINS = ("adapter", "adapter+lora", "adapter+language")
# Of the bytes kept for the backward pass. Rows of their own keep a little less than planned.
TOLERANCE = {"packed": 0.05, "padded": 0.15}
ops = torch.ops.aten
# PyTorch's counter does not know attention on CPUs; its arguments are shapes, and keys are shared
ATTENTION = {
    ops._scaled_dot_product_flash_attention_for_cpu: lambda q, k, v, *_, **__: sdpa_flop_count(
        q, (*q[:2], *k[2:]), (*q[:2], *v[2:])
    ),
    ops._scaled_dot_product_flash_attention_for_cpu_backward: (
        lambda g, q, k, v, *_, **__: sdpa_backward_flop_count(
            g, q, (*q[:2], *k[2:]), (*q[:2], *v[2:])
        )
    ),
}


def recipe(trains: str, **settings: Any) -> Recipe:
    stage = Stage(trains, 1, images=1, questions={"revloc": 6, "locpred": 6})
    lora = LoraSettings(rank=2, alpha=2)
    return Recipe(
        data=(),
        out="",
        stages={"one": stage},
        model="small",
        lora=lora,
        precision="bf16",
        **settings,
    )


def real(config: Any, of: Recipe) -> nn.Module:
    """The model as it is trained, with weights."""
    model = build_sketch(config, of, of.stages["one"])
    model.to_empty(device="cpu")
    base_model(model).tie_weights()
    torch.manual_seed(0)
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            nn.init.normal_(tensor, std=0.02)
    return model


def batch(config: Any, of: Recipe) -> TrainingBatch:
    """A picture and questions of just the lengths that are planned with."""
    reads = plan_sequences(config, of, of.stages["one"])
    turn = [IGNORED] * reads.asked + [5] * reads.learned
    prefix = [config.image_token_index] * reads.image.tokens + [3] * TEXT
    labels = [IGNORED] * len(prefix) + turn * reads.questions
    ids = prefix + [4 if label == IGNORED else label for label in labels[len(prefix) :]]
    width = config.vision_config.hidden_size * len(config.vision_feature_layer)
    turns = [range(reads.prefix, reads.prefix + len(turn))] * reads.questions
    encoded = EncodedConversation(
        input_ids=torch.tensor(ids),
        labels=torch.tensor(labels),
        position_ids=torch.tensor([*range(reads.prefix), *(p for turn in turns for p in turn)]),
        prefix=reads.prefix,
        lengths=(len(turn),) * reads.questions,
        regions=torch.zeros(reads.questions, reads.prefix, dtype=torch.bool),
        image_inputs={"pixel_values": torch.zeros(1, reads.image.tokens, width)},
    )
    return build_packed_batch([encoded]) if reads.packed else build_padded_batch([encoded], pad=0)


def loss(model: nn.Module, given: TrainingBatch, *, blocks: bool) -> torch.Tensor:
    base = base_model(model)
    with ExitStack() as during:
        during.enter_context(use_cached_features(base))
        if blocks:
            during.enter_context(use_block_attention(base))
        if isinstance(model, PeftModel):
            during.enter_context(disable_input_dtype_casting(model))
        during.enter_context(torch.autocast("cpu", torch.bfloat16))
        logits = model(**given.inputs, use_cache=False).logits.float()
        return answer_loss(logits, given)[0]


@pytest.fixture(scope="module")
def config(small_base: Path) -> Any:
    return AutoConfig.from_pretrained(small_base)


@pytest.mark.parametrize("adapter", ["linear", "mlp"])
@pytest.mark.parametrize("layout", ["packed", "padded"])
@pytest.mark.parametrize("trains", TRAINS)
def test_a_training_step(config: Any, trains: str, layout: str, adapter: str) -> None:
    config = deepcopy(config)
    for name, value in settings_of(adapter).items():
        setattr(config, name, value)
    of = recipe(trains, layout=layout)
    plan = trace_stage(config, of, of.stages["one"])
    model, given = real(config, of), batch(config, of)
    state = _state(plan)

    assert sum(p.nbytes for p in model.parameters()) == state.weights
    weights = {p.untyped_storage().data_ptr() for p in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with FlopCounterMode(display=False, custom_mapping=ATTENTION) as counter:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            value = loss(model, given, blocks=layout == "packed")
        value.backward()
    assert sum(kept.values()) == pytest.approx(plan.cost.kept, rel=TOLERANCE[layout])
    assert counter.get_total_flops() == pytest.approx(plan.cost.flops, rel=0.05)

    trained = [p for p in model.parameters() if p.requires_grad]
    assert sum(p.grad.nbytes for p in trained if p.grad is not None) == state.gradients
    optimizer = torch.optim.AdamW(trained, fused=True)
    optimizer.step()
    moments = [t for s in optimizer.state.values() for n, t in s.items() if n != "step"]
    assert sum(t.nbytes for t in moments) == state.optimizer


def _state(plan: StageTrace) -> Any:
    return estimate_memory(plan.counts, plan.cost, devices=1, distributed="ddp", reserve=0)


@pytest.mark.parametrize("trains", TRAINS)
def test_checkpoints_keep_less_and_compute_more(config: Any, trains: str) -> None:
    of = recipe(trains)
    plain = trace_stage(config, of, of.stages["one"]).cost
    saving = recipe(trains, gradient_checkpointing=True)
    saved = trace_stage(config, saving, saving.stages["one"]).cost
    assert saved.kept < plain.kept
    assert saved.forward_flops == plain.forward_flops
    assert plain.flops < saved.flops < plain.flops + plain.forward_flops


def test_every_parameter_belongs_to_a_part(config: Any) -> None:
    of = recipe("adapter+lora")
    model = build_sketch(config, of, of.stages["one"])
    found = count_parameters(model)
    assert set(found.parts) == {"encoder", "adapter", "language", "lora"}
    assert found.total == sum(p.numel() for p in model.parameters())
    quantized = count_parameters(model, quantized=True)
    assert quantized.trained == found.trained
    assert quantized.frozen_bytes < found.frozen_bytes
