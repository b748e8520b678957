"""Each family reads a picture and a question, and answers by both."""

import torch
from PIL import Image
from transformers import PreTrainedModel, ProcessorMixin

from tests import families

WITHOUT_CHAT = {"florence_2", "paligemma"}


def _prompt(processor: ProcessorMixin, question: str) -> str:
    if processor.chat_template is None:
        return f"<image>{question}" if "PaliGemma" in type(processor).__name__ else question
    content = [{"type": "image"}, {"type": "text", "text": question}]
    return processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )


def _scores(
    model: PreTrainedModel, processor: ProcessorMixin, color: str, question: str
) -> torch.Tensor:
    """Of the first token."""
    picture = Image.new("RGB", (90, 60), color)
    inputs = processor(images=picture, text=_prompt(processor, question), return_tensors="pt")
    out = model.generate(
        **inputs,
        max_new_tokens=3,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )
    assert len(out.logits) >= 1
    return out.logits[-1][0]


def test_picture_and_question_change_the_answer(family):
    _, model, processor = family
    red = _scores(model, processor, "red", "Where is the dog?")
    assert torch.isfinite(red).all()
    torch.testing.assert_close(red, _scores(model, processor, "red", "Where is the dog?"))
    assert not torch.allclose(red, _scores(model, processor, "blue", "Where is the dog?"), atol=0.1)
    assert not torch.allclose(red, _scores(model, processor, "red", "What is a cat?"), atol=0.1)


def test_chat_templates(family):
    name, _, processor = family
    assert (processor.chat_template is None) == (name in WITHOUT_CHAT)


def test_families_are_the_same_at_every_run(family):
    name, model, _ = family
    families.build.cache_clear()
    again, _ = families.build(name)
    for one, other in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
