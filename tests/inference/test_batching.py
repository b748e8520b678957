import pytest
import torch
from transformers import PreTrainedModel, ProcessorMixin

from locvlm.inference import batching as module
from locvlm.inference.batching import Batching, batching_for, token_bytes
from locvlm.inference.decoding import can_cache_prefix, read_prefix
from locvlm.models.chat_tokens import ChatTokens
from locvlm.models.load import Loaded
from tests.inference.test_families import PHOTOS

GIB = 2**30


class OnGpu:
    """A model that says that it is on a GPU."""

    device = torch.device("cuda", 0)

    def __init__(self, model: PreTrainedModel) -> None:
        self.config, self.dtype = model.config, model.dtype


def test_a_cpu_is_as_ever(small_model: Loaded) -> None:
    assert batching_for(small_model.model) == Batching(32, 1, 1, None)
    assert Batching().rows(1) == Batching().rows(10**9) == 32


@pytest.mark.parametrize(("tokens", "rows"), [(0, 1), (99, 1), (100, 1), (700, 7), (10**9, 512)])
def test_as_many_rows_as_there_is_room_for(tokens: int, rows: int) -> None:
    assert Batching(512, 32, 4, tokens).rows(100) == rows


def test_half_of_what_is_free_on_a_gpu(
    small_model: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = OnGpu(small_model.model)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 * GIB, 80 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 5 * GIB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 2 * GIB)
    found = batching_for(model)
    assert (found.questions, found.images, found.steps) == (512, 32, 4)
    assert found.tokens == 3 * GIB // (3 * token_bytes(small_model.model))


def test_families_on_a_gpu(
    family: tuple[str, PreTrainedModel, ProcessorMixin], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads several pictures in one pass, and who as on a CPU."""
    name, model, _ = family
    monkeypatch.setattr(module, "_free_bytes", lambda device: GIB)
    found = batching_for(OnGpu(model))
    assert (found == Batching()) == (not can_cache_prefix(model))
    assert found.images == (32 if name == "llava" else 1)


def test_the_bytes_are_those_of_the_cache(
    family: tuple[str, PreTrainedModel, ProcessorMixin],
) -> None:
    _, model, processor = family
    if not can_cache_prefix(model):
        return
    prefix = read_prefix(model, ChatTokens(processor).prefix(PHOTOS[0]))
    layers = prefix.cache.layers
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in layers)
    assert held == prefix.length * token_bytes(model)
