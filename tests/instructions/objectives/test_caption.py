from locvlm.instructions.objectives.caption import PROMPTS as CAPTION_PROMPTS
from tests.instructions.objectives.asking import FULL, ask, image, questions


def test_one_per_caption_and_five_at_most() -> None:
    texts = tuple(f"Caption {i}." for i in range(7))
    instructions = ask("caption", image(captions=texts))
    assert [item.answer for item in instructions] == list(texts[:5])
    assert questions("caption", image(captions=texts)) == set(CAPTION_PROMPTS)


def test_none_without_captions() -> None:
    assert ask("caption", FULL) == []
