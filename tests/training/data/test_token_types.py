"""Token types follow each family's own rule: no answer token is seen by those before it."""

from typing import Any

import pytest
import torch
from PIL import Image
from torch.nn import functional as F
from transformers import LogitsProcessor

from locvlm import coordinates
from locvlm.families import FAMILIES, TOKEN_TYPES
from locvlm.instructions.base import Conversation, Instruction
from locvlm.models.chat_tokens import ChatTokens
from locvlm.training.data.collator import IGNORED, Collator, EncodedConversation
from locvlm.training.data.padded_rows import build_encoder_decoder_batch, build_padded_batch
from tests import families
from tests.families.gemma3 import TOKENS

PHOTO = Image.linear_gradient("L").resize((120, 90)).convert("RGB")
ANSWER = "It is located at (4,52,13,63)"


def encode(processor: Any, answer: str) -> EncodedConversation:
    item = Instruction("locpred", "Where is the dog?", answer)
    collator = Collator(processor, coordinates.get("qwen3-vl"))
    return collator.encode(Conversation("1.png", 120, 90, (item,)), PHOTO)


def changed(item: EncodedConversation, which: int) -> EncodedConversation:
    """With another token in the place of one of the answer's."""
    at = int((item.labels != IGNORED).nonzero()[which, 0])
    ids, labels = item.input_ids.clone(), item.labels.clone()
    ids[at] = labels[at] = item.input_ids[-2]
    assert ids[at] != item.input_ids[at]
    return EncodedConversation(
        **{
            **{f: getattr(item, f) for f in item.__dataclass_fields__},
            "input_ids": ids,
            "labels": labels,
        }
    )


def scores(model: Any, items: list[EncodedConversation]) -> list[torch.Tensor]:
    """Logits of each answer's tokens and what follows, as they are trained in one batch."""
    build = build_encoder_decoder_batch if model.config.is_encoder_decoder else build_padded_batch
    batch = build(items, 0)
    with torch.no_grad():
        logits = model.eval()(**batch.inputs, use_cache=False).logits
    learned = [int((item.labels != IGNORED).sum()) for item in items]
    if model.config.is_encoder_decoder:
        return [row[:length] for row, length in zip(logits, learned, strict=True)]
    return [row[-length - 1 : -1] for row, length in zip(logits, learned, strict=True)]


@pytest.mark.parametrize("name", families.names())
def test_no_answer_token_sees_a_later_one(name: str) -> None:
    model, processor = families.build(name)
    item = encode(processor, ANSWER)
    [before], [after] = (scores(model, [each]) for each in (item, changed(item, 4)))
    torch.testing.assert_close(before[:5], after[:5])  # they predict tokens 0 to 4
    assert not torch.allclose(before[5], after[5])


@pytest.mark.parametrize("name", families.names())
def test_scores_are_those_of_the_family_itself(name: str) -> None:
    """What its own processor makes of question and answer, read by the plain model; all causal.

    A short answer beside a long one, so that one of the rows is padded.
    """
    model, processor = families.build(name)
    for item, found in zip(
        items := [encode(processor, ANSWER), encode(processor, "It is (1)")],
        scores(model, items),
        strict=True,
    ):
        torch.testing.assert_close(found, expected(model, processor, item), rtol=1e-4, atol=1e-4)


def expected(model: Any, processor: Any, item: EncodedConversation) -> torch.Tensor:
    """By `generate`, which is made to write the answer."""
    asked = item.input_ids[item.labels == IGNORED][None]
    said = item.input_ids[item.labels != IGNORED].tolist()
    prompt = ChatTokens(processor).prefix(PHOTO)
    inputs = {key: value for key, value in prompt.items() if key not in ("input_ids", "labels")}
    more = asked.shape[1] - prompt["input_ids"].shape[1]
    for key in ("attention_mask", *TOKEN_TYPES):
        if key in inputs:
            inputs[key] = F.pad(inputs[key], (0, more), value=int(key == "attention_mask"))
    out = model.generate(
        **inputs,
        input_ids=asked,
        max_new_tokens=len(said),
        min_new_tokens=len(said),
        do_sample=False,
        logits_processor=[Forcing(said, 1 if model.config.is_encoder_decoder else asked.shape[1])],
        output_logits=True,
        return_dict_in_generate=True,
    )
    return torch.cat(out.logits)


class Forcing(LogitsProcessor):
    """The next token is that of a known answer."""

    def __init__(self, said: list[int], before: int):
        self.said, self.before = said, before

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        forced = torch.full_like(scores, -torch.inf)
        forced[:, self.said[input_ids.shape[1] - self.before]] = 0
        return forced


@pytest.mark.parametrize("name", ["gemma3", "gemma4"])
def test_tokens_of_an_image_see_each_other(name: str) -> None:
    """The first of them the last: without the marks of the image, they do not."""
    model, processor = families.build(name)
    inputs = build_padded_batch([encode(processor, ANSWER)], 0).inputs | {"logits_to_keep": 0}
    (types,) = (key for key in TOKEN_TYPES if key in inputs)
    at = int(inputs[types][0].nonzero()[0])

    def first(**marks: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return model.eval()(**inputs | marks, use_cache=False).logits[0, at]

    unmarked = torch.zeros_like(inputs[types])
    assert not torch.allclose(first(), first(**{types: unmarked}))


def test_pictures_alone_are_marked_with_1_in_gemma_3() -> None:
    _, processor = families.build("gemma3")
    batch = build_padded_batch([encode(processor, ANSWER)], 0)
    marked = batch.inputs["input_ids"][batch.inputs["token_type_ids"] == 1]
    assert marked.tolist() == [processor.tokenizer.image_token_id] * TOKENS
    assert set(batch.inputs["token_type_ids"].unique().tolist()) == {0, 1}


def test_what_is_learned_is_marked_with_1_in_paligemma_alone() -> None:
    _, processor = families.build("paligemma")
    item = encode(processor, ANSWER)
    types = build_padded_batch([item], 0).inputs["token_type_ids"][0]
    assert torch.equal(types.bool(), item.labels != IGNORED)
    assert [each.name for each in FAMILIES if each.answer_token_type] == ["paligemma"]


def test_types_of_tokens_for_experts_are_as_long_as_the_row() -> None:
    """ERNIE's processor writes some for its mixtures of experts, beside those of its places."""
    _, processor = families.build("qwen2_vl")
    item = encode(processor, ANSWER)
    types = item.image_inputs["mm_token_type_ids"]
    item.image_inputs["moe_mm_token_type_ids"] = types + 0
    inputs = build_padded_batch([item, item], 0).inputs
    assert inputs["moe_mm_token_type_ids"].shape == inputs["input_ids"].shape
    assert torch.equal(inputs["moe_mm_token_type_ids"], inputs["mm_token_type_ids"])
