"""Every family is loaded from its folder, with torchvision or without."""

from pathlib import Path

from PIL import Image
from transformers import PreTrainedModel, ProcessorMixin

import locvlm
from locvlm import coordinates
from locvlm.compat.image_processors import load_stills
from locvlm.inference.predictor import Predictor


def test_a_family_by_its_folder(
    family: tuple[str, PreTrainedModel, ProcessorMixin], tmp_path: Path
) -> None:
    _, model, processor = family
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    loaded = locvlm.load(tmp_path)
    assert loaded.coordinates == coordinates.default_for(processor, tmp_path)
    loaded.model.float()
    picture = Image.new("RGB", (90, 60), "red")
    asked = ["Where is the dog?", "What is it?"]
    known = Predictor(model, processor, loaded.coordinates)
    assert loaded.answer(picture, asked, max_new_tokens=4) == known.answer(
        picture, asked, max_new_tokens=4
    )


def test_saved_under_its_own_name(
    family: tuple[str, PreTrainedModel, ProcessorMixin], tmp_path: Path
) -> None:
    _, model, processor = family
    model.config.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    again = load_stills(tmp_path, backend="pil")
    assert type(again).__name__ == type(processor).__name__
    assert type(again.image_processor) is type(processor.image_processor)
    assert again.chat_template == processor.chat_template
