"""Every family is loaded from its folder, with torchvision or without."""

import json
from pathlib import Path

from PIL import Image
from transformers import PreTrainedModel, ProcessorMixin

import locvlm
from locvlm import coordinates
from locvlm.compat.image_processors import VideoSettings, load_stills, stills_only
from locvlm.inference.predictor import Predictor
from tests import families


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


def as_on_the_hub(folder: Path) -> dict[str, object]:
    """Files as transformers 4 wrote them: settings of images and of videos each in their own."""
    settings = json.loads((folder / "processor_config.json").read_text())
    (folder / "processor_config.json").unlink()
    named = {"processor_class": settings["processor_class"]}
    images = {**settings["image_processor"], **named}
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    videos = {
        **images,
        "video_processor_type": "Qwen2VLVideoProcessor",
        "max_frames": 7,
        "size": {"shortest_edge": 1568, "longest_edge": 4704},
    }
    del videos["image_processor_type"]
    (folder / "video_preprocessor_config.json").write_text(json.dumps(videos))
    return videos


def test_settings_of_videos_survive(tmp_path: Path) -> None:
    model, processor = families.build("qwen2_5_vl")
    base, again = tmp_path / "base", tmp_path / "again"
    model.config.save_pretrained(base)
    processor.save_pretrained(base)
    videos = as_on_the_hub(base)
    for folder in (base, again):  # read from files of transformers 4, then of 5
        load_stills(folder, backend="pil").save_pretrained(again)
        written = json.loads((again / "processor_config.json").read_text())
        assert written["video_processor"] == videos
        assert written["image_processor"]["image_processor_type"] == "Qwen2VLImageProcessor"


def test_settings_that_images_and_videos_share(tmp_path: Path) -> None:
    model, processor = families.build("qwen3_vl")
    model.config.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    load_stills(tmp_path, backend="pil").save_pretrained(tmp_path)
    written = json.loads((tmp_path / "processor_config.json").read_text())
    assert written["video_processor"]["patch_size"] == 16
    assert "image_processor_type" not in written["video_processor"]


def test_an_older_folder_has_one_file_for_both(tmp_path: Path) -> None:
    model, processor = families.build("qwen2_vl")
    model.config.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    as_on_the_hub(tmp_path)
    (tmp_path / "video_preprocessor_config.json").unlink()
    loaded = load_stills(tmp_path, backend="pil")
    assert loaded.video_processor.merge_size == 2
    assert loaded.video_processor.none_of_it is None


def test_a_video_processor_may_stand_anywhere(tmp_path: Path) -> None:
    """MiniCPM's stands before the tokenizer."""

    class Swapped(ProcessorMixin):
        def __init__(
            self, image_processor=None, video_processor=None, tokenizer=None, chat_template=None
        ):
            super().__init__(
                image_processor, video_processor, tokenizer, chat_template=chat_template
            )

    model, processor = families.build("qwen2_vl")
    model.config.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    loaded = stills_only(Swapped).from_pretrained(tmp_path, backend="pil")
    assert type(loaded.tokenizer) is type(processor.tokenizer)
    assert type(loaded.image_processor) is type(processor.image_processor)
    assert loaded.chat_template == processor.chat_template


def test_pictures_are_resized_by_pillow_in_both_worlds(
    family: tuple[str, PreTrainedModel, ProcessorMixin], tmp_path: Path
) -> None:
    _, model, processor = family
    model.config.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    assert type(load_stills(tmp_path, backend="pil").image_processor).__name__.endswith("Pil")


def test_a_font_that_nobody_named_is_no_file() -> None:
    """ERNIE's processor copies the one it writes the time into videos with, when it is saved."""
    assert VideoSettings({}).font == ""
    assert VideoSettings({"font": "a.ttf"}).font == "a.ttf"
