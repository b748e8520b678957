"""A forward and a backward pass in which nothing is computed, but every tensor is counted.

PyTorch's fake tensors run the real modules, with the attention, the checkpoints and the casts that
a training run would have; what they would allocate and multiply is added up on the way. So the
numbers hold for any architecture, and need no formula of one.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from peft.helpers import disable_input_dtype_casting
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

from locvlm.errors import InputError
from locvlm.families import get_family
from locvlm.models.patches import patch_features
from locvlm.models.video_llava.pooling import pool
from locvlm.training.adapters import base_model
from locvlm.training.data.packing import Packing
from locvlm.training.engine.block_attention import use_block_attention
from locvlm.training.plan.sequences import Sequences


def _attention_flops(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return sdpa_flop_count(query.shape, _shape_per_head(query, key), _shape_per_head(query, value))


def _attention_backward_flops(
    grad: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any
) -> int:
    keys, values = _shape_per_head(query, key), _shape_per_head(query, value)
    return sdpa_backward_flop_count(grad.shape, query.shape, keys, values)


def _shape_per_head(query: Any, shared: Any) -> Any:
    """The shape of keys or values as if every query head had its own: the work is the same."""
    return (*query.shape[:2], *shared.shape[2:])


# PyTorch's formulas, and those of attention on CPUs, which it lacks
FLOPS: dict[Any, Any] = {
    **flop_registry,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward_flops,
}
NAMES = 81  # categories that the stage `naming` tells apart; the work hardly depends on them


@dataclass(frozen=True)
class PassCost:
    """What one forward and backward pass takes; bytes beyond weights and gradients."""

    kept: int  # bytes that the forward pass leaves for the backward pass
    peak: int  # bytes at the worst moment
    copies: int  # bytes of these that are 16-bit copies of trained weights, made by autocast
    forward_flops: int  # additions and multiplications
    flops: int  # with the backward pass, and what checkpoints compute again


class Ledger(TorchDispatchMode):
    """Adds up the storages that live while it is active, and the work of what makes them.

    Args:
        model: whose parameters and gradients are not counted.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.now = self.peak = self.copies = self.flops = 0
        self._alive: dict[int, int] = {}
        self._weights = {_key(p) for p in model.parameters() if p.requires_grad}
        for tensor in (*model.parameters(), *model.buffers()):
            self._alive[_key(tensor)] = 0
            if tensor.grad is not None:
                self._alive[_key(tensor.grad)] = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        out = function(*args, **kwargs)
        work = FLOPS.get(function._overloadpacket)
        self.flops += work(*args, **kwargs, out_val=out) if work else 0
        is_copy = function is torch.ops.aten._to_copy.default and _key(args[0]) in self._weights
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self._enter(tensor, is_copy=is_copy)
        return out

    def _enter(self, tensor: torch.Tensor, *, is_copy: bool) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._alive:
            return
        size = self._alive[key] = storage.nbytes()
        self.now += size
        self.copies += size if is_copy else 0
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._leave, key)

    def _leave(self, key: int) -> None:
        self.now -= self._alive.pop(key)


def trace_pass(
    model: nn.Module, mode: Any, reads: Sequences, *, cached: bool, naming: bool
) -> PassCost:
    """One pass of a sketch that `to_fake_tensors` has prepared.

    Args:
        mode: that `to_fake_tensors` gave, or one that does nothing where `model` has weights.
        reads: what the pass reads.
        cached: the frozen encoder's outputs are given; it does not run.
        naming: the adapter alone is run.
    """
    positions = (
        {} if naming else build_positions(reads)
    )  # real numbers, since others depend on them
    with ExitStack() as during:
        during.enter_context(mode)
        during.enter_context(use_training_attention(model, reads, naming=naming))
        ledger = during.enter_context(Ledger(model))
        with training_autocast(model):
            adapted = adapt_images(base_model(model), reads, cached=cached)
            loss = (
                _naming_loss(adapted)
                if naming
                else _answer_loss(base_model(model), adapted, reads, positions)
            )
            del adapted
        kept, copies, forward = ledger.now, ledger.copies, ledger.flops
        loss.backward()
    work = 0 if cached else reads.images * encoder_flops(base_model(model), reads.image.patches)
    return PassCost(kept, ledger.peak, copies, forward + work, ledger.flops + work)


@contextmanager
def use_training_attention(model: nn.Module, reads: Sequences, *, naming: bool) -> Iterator[None]:
    """With the attention and the casts of a training run."""
    with ExitStack() as during:
        if reads.packed and not naming:
            during.enter_context(use_block_attention(base_model(model)))
        if isinstance(model, PeftModel):
            during.enter_context(disable_input_dtype_casting(model))
        yield


def training_autocast(model: nn.Module) -> Any:
    """As the trainer has it: where the model is of 16 bits."""
    dtype = base_model(model).config.dtype
    return nullcontext() if dtype == torch.float32 else torch.autocast("cpu", dtype)


def _answer_loss(
    base: Any, adapted: torch.Tensor, reads: Sequences, positions: Any
) -> torch.Tensor:
    """The work of `locvlm.training.tasks.supervised.AnswerTask`, from the adapter's output on."""
    embed = base.get_input_embeddings()
    text = embed(torch.zeros(reads.rows, reads.length - reads.image.tokens, dtype=torch.long))
    images = adapted.to(text.dtype).view(reads.images, -1, text.shape[-1])
    images = images.repeat_interleave(reads.rows // reads.images, 0)
    # what marks the places of tiles, or ends a row
    images = F.pad(images, (0, 0, 0, reads.image.tokens - images.shape[1]))
    hidden = base.get_decoder()(
        inputs_embeds=torch.cat([images, text], 1), use_cache=False, **positions
    ).last_hidden_state
    # the trainer's own wrapping of `forward` gives float32
    logits = base.lm_head(hidden[:, -reads.logits :]).float()
    labels = torch.zeros(logits.shape[:2], dtype=torch.long)
    # the learned ones are taken out, hence copied
    return F.cross_entropy(logits.flatten(0, 1).clone(), labels.flatten())


def build_positions(reads: Sequences) -> dict[str, Any]:
    """The positions of the tokens, and who sees whom."""
    positions = torch.arange(reads.length).expand(reads.rows, -1)
    if not reads.packed:
        return {"position_ids": positions}
    turns = [reads.asked + reads.learned] * reads.questions
    packing = Packing.of([reads.prefix] * reads.rows, [turns] * reads.rows)
    packing.blocks  # noqa: B018 made here, of real numbers
    return {"position_ids": positions, "packing": packing}


def adapt_images(base: Any, reads: Sequences, *, cached: bool) -> torch.Tensor:
    """(pictures or tiles, tokens, H) what the adapter makes of pictures.

    Raises:
        InputError: a Qwen-VL's encoder is trained; how it cuts pictures depends on numbers.
    """
    inner = base.model
    rule = get_family(base.config.model_type).image_tokens
    if rule == "native":
        return _merge_patches(inner.visual, reads)
    if rule == "tiles":
        hidden = inner.vision_model(_blank_pixels(reads)).last_hidden_state
        return inner.connector(hidden)
    projector = inner.multi_modal_projector
    chosen = base.config.vision_feature_layer
    layers = [chosen] if isinstance(chosen, int) else chosen
    if cached:
        width = base.config.vision_config.hidden_size * len(layers)
        return projector(torch.zeros(reads.images, reads.image.tokens - reads.image.breaks, width))
    patches = patch_features(inner, _blank_pixels(reads))
    frames = reads.image.pixels[0]
    return projector(pool(patches.unflatten(0, (-1, frames))) if reads.image.pooled else patches)


def _merge_patches(visual: Any, reads: Sequences) -> torch.Tensor:
    """The adapter of a Qwen-VL; its frozen encoder is left out (`encoder_flops` has its work)."""
    if any(p.requires_grad for p in visual.blocks.parameters()):
        raise InputError("the memory of training a Qwen-VL's encoder is not known here; freeze it")
    patches, width = reads.images * reads.image.patches, visual.config.hidden_size
    return visual.merger(torch.zeros(patches, width))


def encoder_flops(base: Any, patches: int) -> int:
    """Work of a Qwen-VL's frozen encoder on one picture; 0 for others, whose encoders are run.

    Two per weight and patch, and in every layer those of two products of attention.
    """
    if get_family(base.config.model_type).image_tokens != "native":
        return 0
    blocks, vision = base.model.visual.blocks, base.config.vision_config
    weights = sum(p.numel() for p in blocks.parameters())
    return 2 * weights * patches + 4 * len(blocks) * patches**2 * vision.hidden_size


def _blank_pixels(reads: Sequences) -> torch.Tensor:
    count, *rest = reads.image.pixels
    return torch.zeros(count * reads.images, *rest)


def _naming_loss(adapted: torch.Tensor) -> torch.Tensor:
    """The work of `locvlm.training.tasks.patch_naming.naming_loss`."""
    out = adapted.float()
    names = torch.zeros(NAMES, out.shape[-1])
    logits = (out @ names.T).flatten(0, -2)
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long))


def _key(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata
