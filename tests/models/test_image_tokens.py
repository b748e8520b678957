"""Line breaks between the rows of a picture, and the picture with its turned twin."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tokenizers import normalizers
from transformers import AutoProcessor, LlamaTokenizer

from locvlm.errors import InputError
from locvlm.models.chat_tokens import ChatTokens
from locvlm.models.folders import ModelSettings
from locvlm.models.image_tokens import apply_form, form_of
from locvlm.models.load import Loaded, load_processor
from locvlm.models.twin import add_twin_mask, transpose
from locvlm.models.video_llava.processor import PooledVideoLlavaProcessor
from tests import families
from tests.families.tokens import sentencepiece

SIDE = 4  # patches


@pytest.fixture(params=["small", "llava", "named"])
def processor(request: pytest.FixtureRequest, small_model: Loaded) -> Any:
    """LLaVA processors of byte-level and of SentencePiece tokens; one names the picture's."""
    if request.param == "small":
        return small_model.processor
    _, found = families.build("llava")
    if request.param == "named":  # as published ones do
        found = deepcopy(found)
        names = {"image_token": "<image>"}
        named = ["<unk>", "<s>", "</s>"]
        found.tokenizer = LlamaTokenizer(
            **sentencepiece(named), extra_special_tokens=names, pad_token="<unk>"
        )
        assert found.tokenizer.image_token == "<image>"
    return found


def photo() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def prefix(processor: Any) -> list[int]:
    return ChatTokens(processor).prefix(photo())["input_ids"][0].tolist()


def test_a_break_after_every_row_is_all_that_is_new(processor: Any) -> None:
    broken = apply_form(processor, "breaks")
    plain, ids, image = prefix(processor), prefix(broken), processor.image_token_id
    start, end = plain.index(image), plain.index(image) + SIDE**2
    line_break = plain[end : end + 1]  # the chat template's, after the last row
    assert processor.tokenizer.decode(line_break).strip(" ") == "\n"
    rows = [image] * SIDE + line_break
    assert ids == plain[:start] + rows * SIDE + plain[end + 1 :]
    assert len(ids) == len(plain) + SIDE - 1
    assert form_of(processor) == "rows"  # the one that was given is as it was


@given(text=st.text())
def test_other_texts_are_as_they_were(text: str) -> None:
    (_, plain), text = families.build("llava"), text.replace("<image>", "")
    before, after = (p.tokenizer(text)["input_ids"] for p in (plain, apply_form(plain, "breaks")))
    assert before == after


def test_rows_are_only_broken_where_a_picture_stands(processor: Any) -> None:
    broken = apply_form(processor, "breaks")
    for few in ("<image>" * SIDE, "<image> x <image>\n<image>"):
        assert broken.tokenizer(few)["input_ids"] == processor.tokenizer(few)["input_ids"]


def test_pictures_one_after_the_other_are_all_broken(processor: Any) -> None:
    broken = apply_form(processor, "breaks")
    ids = broken(images=[photo()] * 2, text="<image>\n<image>\n")["input_ids"][0]
    assert ids.count(processor.image_token_id) == 2 * SIDE**2
    assert len(ids) == len(broken.tokenizer("<image>\n<image>\n")["input_ids"]) + 2 * (
        SIDE**2 - 1 + SIDE - 1
    )


def test_twins_are_two_pictures_of_which_one_is_turned(processor: Any) -> None:
    twin = apply_form(processor, "twin")
    inputs = ChatTokens(twin).prefix(photo())
    plain, image = prefix(processor), processor.image_token_id
    start, end = plain.index(image), plain.index(image) + SIDE**2
    picture = plain[start : end + 1]
    assert inputs["input_ids"][0].tolist() == plain[:start] + picture * 2 + plain[end + 1 :]
    alone = processor.image_processor([photo(), transpose(photo())], return_tensors="pt")
    assert torch.equal(inputs["pixel_values"], alone["pixel_values"])
    assert not torch.equal(*inputs["pixel_values"])


def test_turned_is_x_and_y_exchanged() -> None:
    pixels = np.asarray(photo())
    assert np.array_equal(np.asarray(transpose(photo())), pixels.transpose(1, 0, 2))
    mask = torch.rand(2, 6) > 0.5  # three columns
    both = add_twin_mask(mask, 3)
    assert torch.equal(both[:, :6], mask)
    for row, column in np.ndindex(2, 3):
        assert torch.equal(both[:, 6 + column * 2 + row], mask[:, row * 3 + column])


@pytest.mark.parametrize("form", ["breaks", "twin"])
def test_the_folder_is_an_ordinary_llavas(processor: Any, tmp_path: Path, form: Any) -> None:
    made = apply_form(processor, form)
    made.save_pretrained(tmp_path)
    kind = json.loads((tmp_path / "processor_config.json").read_text())["processor_class"]
    assert kind == "LlavaProcessor"
    stock = AutoProcessor.from_pretrained(tmp_path, backend="pil")
    assert form_of(stock) == ("breaks" if form == "breaks" else "rows")
    if form == "breaks":
        assert prefix(stock) == prefix(made)
    stock.save_pretrained(tmp_path / "again")
    again = AutoProcessor.from_pretrained(tmp_path / "again", backend="pil")
    assert prefix(again) == prefix(stock)


@pytest.mark.parametrize("form", ["rows", "breaks", "twin"])
def test_tokens_may_take_the_place_of_a_picture(processor: Any, tmp_path: Path, form: Any) -> None:
    """As vLLM does it: the tokens of a picture's text, made alone, instead of one `<image>`."""
    apply_form(processor, form).save_pretrained(tmp_path)
    stock = AutoProcessor.from_pretrained(tmp_path, backend="pil")
    pictures = [photo(), transpose(photo())]
    said = [*[{"type": "image"}] * 2, {"type": "text", "text": "Where is it?"}]
    asked = [{"role": "user", "content": said}]
    text = stock.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    whole = stock(images=pictures, text=text, return_text_replacement_offsets=True)
    made = [
        stock.tokenizer.encode(part["replacement"], add_special_tokens=False)
        for part in whole["text_replacement_offsets"][0]
    ]
    assert len(made) == 2
    expanded: list[int] = []
    for token in stock.tokenizer(text)["input_ids"]:
        expanded += made.pop() if token == stock.image_token_id else [token]
    assert expanded == list(whole["input_ids"][0])


@pytest.mark.parametrize("form", ["breaks", "twin"])
def test_a_model_remembers_its_form(small_base: Path, tmp_path: Path, form: Any) -> None:
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / name).touch()
    ModelSettings(base=str(small_base), image_tokens=form).write(tmp_path)
    found, _ = load_processor(tmp_path)
    assert form_of(found) == form
    asked, _ = load_processor(tmp_path, image_tokens=form)
    assert form_of(asked) == form
    assert form_of(load_processor(small_base)[0]) == "rows"
    assert form_of(load_processor(small_base, image_tokens=form)[0]) == form
    with pytest.raises(InputError, match=f"image_tokens: rows: the model has learned with {form}"):
        load_processor(tmp_path, image_tokens="rows")
    with pytest.raises(InputError, match=f"reads pictures alone .image_tokens: {form}.|form of"):
        load_processor(tmp_path, frames=2)


def test_a_form_that_is_none(small_base: Path, tmp_path: Path) -> None:
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / name).touch()
    (tmp_path / "locvlm.json").write_text('{"base": "tiny", "image_tokens": "spiral"}')
    with pytest.raises(InputError, match=r"locvlm\.json: Invalid enum value 'spiral'"):
        load_processor(tmp_path)


# What has no form to choose


@pytest.mark.parametrize("form", ["breaks", "twin"])
@pytest.mark.parametrize("name", [name for name in families.names() if name != "llava"])
def test_other_families_are_refused(name: str, form: Any) -> None:
    _, processor = families.build(name)
    with pytest.raises(InputError, match=f"image_tokens: {form}: a .* has a form of its own"):
        apply_form(processor, form)
    assert form_of(processor) == "rows"
    assert apply_form(processor, None) is apply_form(processor, "rows") is processor


@pytest.mark.parametrize("form", ["breaks", "twin"])
def test_so_are_clips_and_pictures_that_are_no_square(small_model: Loaded, form: Any) -> None:
    clips = PooledVideoLlavaProcessor.of(small_model.processor, 2)
    with pytest.raises(InputError, match="a PooledVideoLlavaProcessor has a form of its own"):
        apply_form(clips, form)
    wide = deepcopy(small_model.processor)
    wide.image_processor.size = {"height": 28, "width": 56}
    with pytest.raises(InputError, match="not 8 tokens for 4 x 2 patches"):
        apply_form(wide, form)
    with_cls = deepcopy(small_model.processor)
    with_cls.vision_feature_select_strategy = "full"
    with pytest.raises(InputError, match="not 17 tokens for 4 x 4 patches"):
        apply_form(with_cls, form)
    free = deepcopy(small_model.processor)
    free.image_processor.size = {"shortest_edge": 56}
    with pytest.raises(InputError, match="different sizes"):
        apply_form(free, form)


class Slow:
    """A tokenizer of Python, without a tokenizer.json."""

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [1] * len(text)}


def test_so_are_tokenizers_that_cannot_write_them(small_model: Loaded) -> None:
    slow = deepcopy(small_model.processor)
    tokenizer, slow.tokenizer = slow.tokenizer, Slow()
    with pytest.raises(InputError, match=r"a Slow cannot write line breaks"):
        apply_form(slow, "breaks")
    slow.tokenizer = tokenizer  # as Llama's of old: the picture's token would be "_<image>"
    tokenizer.backend_tokenizer.normalizer = normalizers.Prepend("_")
    with pytest.raises(InputError, match=r"\(Prepend\) does not write line breaks .* choose twin"):
        apply_form(slow, "breaks")
    assert form_of(apply_form(slow, "twin")) == "twin"
