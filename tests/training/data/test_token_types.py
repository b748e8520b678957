"""Token types follow each family's own rule: no answer token is seen by those before it."""

from typing import Any

import pytest
import torch
from PIL import Image

from locvlm import coordinates
from locvlm.families import FAMILIES
from locvlm.instructions.base import Conversation, Instruction
from locvlm.training.data.collator import IGNORED, Collator, EncodedConversation
from locvlm.training.data.padded_rows import build_padded_batch
from tests import families

CAUSAL = sorted({*families.names(), "gemma3"} - {"florence_2"})  # Florence-2's decoder always is
ANSWER = "It is located at (4,52,13,63)"


def encode(processor: Any, answer: str) -> EncodedConversation:
    item = Instruction("locpred", "Where is the dog?", answer)
    collator = Collator(processor, coordinates.get("qwen3-vl"))
    return collator.encode(Conversation("1.png", 120, 90, (item,)), Image.new("RGB", (120, 90)))


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


@pytest.mark.parametrize("name", CAUSAL)
def test_no_answer_token_sees_a_later_one(name: str) -> None:
    model, processor = families.build(name)
    item = encode(processor, ANSWER)
    start = int((item.labels != IGNORED).sum())
    logits = []
    for each in (item, changed(item, 4)):
        batch = build_padded_batch([each], 0)
        with torch.no_grad():
            logits.append(model.eval()(**batch.inputs, use_cache=False).logits[0, -start - 1 :])
    before, after = logits
    torch.testing.assert_close(before[:5], after[:5])  # they predict tokens 0 to 4
    assert not torch.allclose(before[5], after[5])


def test_pictures_alone_are_marked_with_1_in_gemma_3() -> None:
    _, processor = families.build("gemma3")
    batch = build_padded_batch([encode(processor, ANSWER)], 0)
    marked = batch.inputs["input_ids"][batch.inputs["token_type_ids"] == 1]
    assert marked.tolist() == [processor.tokenizer.image_token_id] * 4
    assert set(batch.inputs["token_type_ids"].unique().tolist()) == {0, 1}


def test_what_is_learned_is_marked_with_1_in_paligemma_alone() -> None:
    _, processor = families.build("paligemma")
    item = encode(processor, ANSWER)
    types = build_padded_batch([item], 0).inputs["token_type_ids"][0]
    assert torch.equal(types.bool(), item.labels != IGNORED)
    assert [each.name for each in FAMILIES if each.answer_token_type] == ["paligemma"]
