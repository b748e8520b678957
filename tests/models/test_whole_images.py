"""`whole_images`: a model whose own processor crops sees all of a picture, stretched."""

import copy
from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.geometry import Frame
from locvlm.models.folders import ModelSettings
from locvlm.models.load import load_processor
from locvlm.models.whole_images import show_whole
from locvlm.processors import frame_of, views_of, visible_part
from locvlm.training.recipe import Recipe
from locvlm.training.start import show_as_told
from tests import families
from tests.families.llava import SIDE

WIDE = (160, 40)


def test_the_square_that_was_cut_out_becomes_the_whole() -> None:
    _, processor = families.build("llava")
    assert visible_part(processor, WIDE) is not None
    whole = show_whole(copy.deepcopy(processor))
    assert frame_of(whole, WIDE) == Frame.resize(WIDE, SIDE)
    assert visible_part(whole, WIDE) is None


@pytest.mark.parametrize("name", ["idefics3", "internvl", "llava_next", "paligemma", "qwen2_vl"])
def test_one_that_shows_all_stays_as_it_is(name: str) -> None:
    _, processor = families.build(name)
    before = copy.deepcopy(processor.image_processor).to_dict()
    assert show_whole(processor) is processor
    assert processor.image_processor.to_dict() == before
    assert views_of(processor, WIDE)


def test_what_cannot_is_refused_and_stays_as_it_was() -> None:
    _, processor = families.build("llava")
    images = copy.deepcopy(processor.image_processor)
    images.do_resize, images.do_center_crop, images.crop_size = False, False, None
    images.do_pad, images.pad_size = True, {"height": SIDE, "width": SIDE}
    before = images.to_dict()
    with pytest.raises(InputError, match="whole_images: .* leaves out parts of pictures otherwise"):
        show_whole(images)
    assert images.to_dict() == before
    asked = Recipe((), "", {}, model="x", whole_images=True)
    with pytest.raises(InputError, match="switched off; leave it out of the recipe"):
        show_as_told(asked, images)


def test_an_adapter_remembers_it(tmp_path: Path) -> None:
    model, processor = families.build("llava")
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    for part in (model, processor):
        part.save_pretrained(base)
    adapter.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (adapter / name).write_text('{"peft_type": "LORA"}')
    ModelSettings(base=str(base), whole_images=True).write(adapter)
    assert visible_part(load_processor(adapter)[0], WIDE) is None
    assert visible_part(load_processor(base)[0], WIDE) is not None
