"""Every family's tokens, mask and loss are those of its own processor and model."""

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from locvlm import coordinates
from locvlm.families import get_family
from locvlm.geometry import Box
from locvlm.instructions.base import Conversation, Instruction
from locvlm.models.parts import PARTS, adapter_modules, part_of
from locvlm.training.adapters import add_adapter, choose_trained
from locvlm.training.data.collator import IGNORED, Collator, EncodedConversation
from locvlm.training.data.packed_rows import build_packed_batch
from locvlm.training.data.packing import Method
from locvlm.training.data.padded_rows import build_encoder_decoder_batch, build_padded_batch
from locvlm.training.data.training_batch import TrainingBatch
from locvlm.training.engine.block_attention import use_block_attention
from locvlm.training.recipe import LoraSettings
from locvlm.training.tasks.supervised import answer_loss

SIZE = (60, 40)
DOG = Instruction("locpred", "Where is the dog?", "It is located at {loc}", (Box(3, 4, 30, 20),))
ITEMS = (
    DOG,
    Instruction(
        "revloc", "Describe the object located at {loc}?", "There is a cat.", DOG.locations
    ),
    Instruction("negpred", "Where is the person?", "There is no such object in the image."),
)
ASKED = Conversation("1.png", *SIZE, ITEMS)
# Where the template, not the tokenizer, says how an answer ends
ENDS = {
    "Idefics3Processor": "<end_of_utterance>",
    "SmolVLMProcessor": "<end_of_utterance>",
    "Gemma3Processor": "<end_of_turn>",
    "Gemma4Processor": "<turn|>",
}

Family = tuple[str, Any, Any]


def photo(size: tuple[int, int] = SIZE) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


def collator_of(processor: Any, **settings: Any) -> Collator:
    return Collator(processor, coordinates.get("ivb"), **settings)


def lay(model: Any, processor: Any, items: list[EncodedConversation]) -> TrainingBatch:
    if model.config.is_encoder_decoder:
        return build_encoder_decoder_batch(items, processor.tokenizer.pad_token_id)
    return build_padded_batch(items, processor.tokenizer.pad_token_id or 0)


def loss_of(model: Any, batch: TrainingBatch) -> torch.Tensor:
    return answer_loss(model(**batch.inputs, use_cache=False).logits, batch)[0]


def test_learned_are_the_answers_and_their_end(family: Family) -> None:
    *_, processor = family
    collator = collator_of(processor)
    encoded = collator.encode(ASKED, photo())
    place = collator.coordinates.encode(
        DOG.locations[0], collator.coordinates.frame_on(processor, SIZE)
    )
    end, turns_end = processor.tokenizer.eos_token, ENDS.get(type(processor).__name__, "")
    answers = [f"It is located at {place}", "There is a cat.", ITEMS[2].answer]
    for (_, labels), answer in zip(encoded.rows(), answers, strict=True):
        said = processor.tokenizer.decode(labels[labels != IGNORED])
        assert said.replace("<s>", "").strip() == answer + (turns_end or end)


def test_the_tokens_are_the_processors_own(family: Family) -> None:
    """Asked and answered in one piece, as the model's makers would write it."""
    *_, processor = family
    question, answer = "Where is the dog?", "There is a cat."
    one = Instruction("category", question, answer)
    encoded = collator_of(processor).encode(Conversation("1.png", *SIZE, (one,)), photo())
    kind = type(processor).__name__
    if kind == "Florence2Processor":
        asked = processor(images=photo(), text=question, return_tensors="pt")["input_ids"][0]
        assert encoded.input_ids[encoded.labels == IGNORED].tolist() == asked.tolist()
        return
    if kind == "PaliGemmaProcessor":
        whole = processor(
            images=photo(), text="<image>" + question, suffix=answer, return_tensors="pt"
        )["input_ids"][0].tolist()
        assert encoded.input_ids.tolist() == whole
        return
    said = {"type": "text", "text": answer}
    turns = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
        {"role": "assistant", "content": [said]},
    ]
    text = processor.apply_chat_template(turns, tokenize=False)
    bos = processor.tokenizer.bos_token
    special = bos is None or not text.startswith(bos)
    whole = processor(images=photo(), text=text, add_special_tokens=special, return_tensors="pt")[
        "input_ids"
    ][0].tolist()
    ids = encoded.input_ids.tolist()
    if ids[-1] != whole[len(ids) - 1]:  # the template writes no end; we do
        ids, whole = ids[:-1], whole[: len(ids) - 1]
    assert ids == whole[: len(ids)]


def test_rows_of_a_batch_do_not_change_each_other(family: Family) -> None:
    _, model, processor = family
    collator = collator_of(processor)
    alone = [
        loss_of(model, lay(model, processor, [collator.encode(one, photo())]))
        for one in (Conversation("1.png", *SIZE, (item,)) for item in ITEMS)
    ]
    each = [collator.encode(Conversation("1.png", *SIZE, (item,)), photo()) for item in ITEMS]
    together = loss_of(model, lay(model, processor, each))
    torch.testing.assert_close(together, torch.stack(alone).mean(), rtol=1e-4, atol=1e-4)


OTHER = Conversation("2.png", 44, 70, ITEMS[:2])  # of another shape, with fewer questions


@pytest.mark.parametrize("method", ["rows", "sdpa"])
@pytest.mark.parametrize("asked", [(ASKED,), (ASKED, OTHER)], ids=["one", "two"])
def test_packed_learns_what_each_question_does(
    family: Family, asked: tuple[Conversation, ...], method: Method
) -> None:
    """Loss and gradients of all questions of all pictures in one pass, and one by one."""
    _, shared, processor = family
    if not get_family(shared.config.model_type).packable:
        pytest.skip(f"{shared.config.model_type} is not packed")
    model = deepcopy(shared)
    collator = collator_of(processor)
    encoded = [collator.encode(one, photo((one.width, one.height))) for one in asked]
    alone = [loss_of(model, build_padded_batch([one], 0)) / len(encoded) for one in encoded]
    sum(alone).backward()  # type: ignore[union-attr]
    there = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    with use_block_attention(model):
        index = getattr(model.model, "get_rope_index", None)
        batch = build_packed_batch(
            encoded, 3, rope_index=index, method=method, bucket=lambda n: n + 5
        )
        loss = loss_of(model, batch.to("cpu"))
    loss.backward()
    torch.testing.assert_close(loss, sum(alone), rtol=1e-5, atol=1e-5)
    for name, parameter in model.named_parameters():
        if name in there:
            torch.testing.assert_close(parameter.grad, there[name], rtol=2e-3, atol=2e-5)


def test_parts(family: Family) -> None:
    _, model, _ = family
    parts = [part_of(name) for name, _ in model.named_parameters()]
    assert set(parts) == set(PARTS)
    assert len(parts) == len(list(model.parameters()))
    assert adapter_modules(model)


def test_an_adapter_updates_every_layer_of_the_language_model(family: Family) -> None:
    """Also a decoder that lies beside it; but neither the output layer nor the encoder."""
    _, shared, _ = family
    tuned = add_adapter(deepcopy(shared), LoraSettings(rank=2, alpha=2, targets=("all",)))
    updated = {
        name.removeprefix("base_model.model.").partition(".lora_")[0]
        for name, _ in tuned.named_parameters()
        if ".lora_" in name
    }
    output = shared.get_output_embeddings()
    assert updated == {
        name
        for name, module in shared.named_modules()
        if isinstance(module, nn.Linear) and module is not output and part_of(name) == "language"
    }


def test_an_adapter_learns_an_answer(family: Family) -> None:
    """A few steps on one picture: the loss falls, and what is frozen stays as it is."""
    _, shared, processor = family
    model = deepcopy(shared)
    tuned = add_adapter(model, LoraSettings(rank=4, alpha=8, targets=("all",)))
    choose_trained(tuned, {"adapter", "lora"})
    frozen = {n: p.clone() for n, p in tuned.named_parameters() if not p.requires_grad}
    optimizer = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], 1e-2)
    batch = lay(model, processor, [collator_of(processor).encode(ASKED, photo())])
    losses = []
    for _ in range(8):
        loss = loss_of(tuned, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.8 * losses[0]
    assert all(torch.equal(p, frozen[n]) for n, p in tuned.named_parameters() if n in frozen)
